# shellcheck shell=bash
# What the shell clients share. Sourced; the program that sources it must define
#   refusal FILE    print the error code with which the server refused, as the client told it
#                   in FILE; print nothing if FILE holds no refusal.
#
# Given by ../run: S3_ENDPOINT, S3_BUCKET, S3_FILES (what to upload), S3_WORK (scratch),
# S3_KEYS (odd keys, operation<TAB>key), S3_CHECKSUMS (of 200k.bin, operation<TAB>algorithm<TAB>
# checksum<TAB>the checksum that the server answers, or -), S3_CA (only for https), AWS_ACCESS_KEY_ID,
# AWS_SECRET_ACCESS_KEY, AWS_REGION, S3_TEMPORARY (access key id, secret and session token of
# temporary credentials, with a space between; may be missing).

set -euo pipefail

# Standard output carries result lines and nothing else; all chatter goes to the log.
exec 3>&1 1>&2

# Exit statuses by which an operation says how it ended, other than by the client's own words.
readonly IS_REFUSED=90 IS_FAILURE=91

# result OPERATION ok|refused|fail DETAIL
result() {
    printf '%s\t%s\t%s\n' "$1" "$2" "${3//[$'\t\r\n']/ }" >&3
}

# attempt OPERATION COMMAND [ARGUMENT...]: run the command and print its result line.
attempt() {
    local operation=$1 log=$S3_WORK/log status code
    shift
    : >"$log"
    set +e
    (
        set -e
        "$@"
    ) >>"$log" 2>&1 </dev/null 3>&-
    status=$?
    set -e
    printf '==== %s (exit status %s)\n' "$operation" "$status"
    cat "$log"
    case $status in
    0) result "$operation" ok "" ;;
    "$IS_REFUSED") result "$operation" refused "$(tail -n 1 "$log")" ;;
    "$IS_FAILURE") result "$operation" fail "$(tail -n 1 "$log")" ;;
    *)
        code=$(refusal "$log")
        if [[ -n $code ]]; then
            result "$operation" refused "$code"
        else
            result "$operation" fail "exit status $status: $(grep -v '^[[:space:]]*$' "$log" | tail -n 1)"
        fi
        ;;
    esac
}

# fail WORDS: inside an operation, the answer was wrong.
fail() {
    printf '\n%s\n' "$*"
    exit "$IS_FAILURE"
}

# must_refuse COMMAND [ARGUMENT...]: inside an operation, run something the server must refuse.
# After the last one, `all_refused` ends the operation as refused.
REFUSALS=()
must_refuse() {
    local log=$S3_WORK/refusal code
    : >"$log"
    if ("$@") >>"$log" 2>&1; then
        cat "$log"
        fail "not refused: $*"
    fi
    cat "$log"
    code=$(refusal "$log")
    [[ -n $code ]] || fail "did not end in a refusal: $*"
    REFUSALS+=("$code")
}

all_refused() {
    printf '\n%s\n' "${REFUSALS[*]}"
    exit "$IS_REFUSED"
}

# equal WHAT ACTUAL EXPECTED
equal() {
    [[ $2 == "$3" ]] || fail "$1 is '$2', not '$3'"
}

# same FILE FILE: byte for byte.
same() {
    cmp -- "$1" "$2" || fail "what came back differs from what was sent"
}

# fresh: print the name of a file that does not exist yet, to download into.
fresh() {
    rm -f -- "$S3_WORK/download"
    printf '%s\n' "$S3_WORK/download"
}

md5() {
    md5sum -- "$1" | cut -d ' ' -f 1
}

# fetch CURL-ARGUMENT...: a plain HTTP request, for presigned URLs. The body goes to standard
# output; an answer of 400 and above is a refusal and the body goes to standard error.
fetch() {
    local body=$S3_WORK/fetched status
    status=$(curl --silent --show-error --globoff --path-as-is --max-time 30 \
        ${S3_CA:+--cacert "$S3_CA"} --output "$body" --write-out '%{http_code}' "$@")
    if [[ $status -ge 400 ]]; then
        printf 'status %s\n' "$status" >&2
        cat "$body" >&2
        return 1
    fi
    cat "$body"
}

# xml_refusal FILE: the refusal as `fetch` shows it.
xml_refusal() {
    sed -n 's/.*<Code>\([A-Za-z0-9]*\)<\/Code>.*/\1/p' "$1" | tail -n 1
}

# tampered_get URL OTHER: presigned GET URL of one object, changed in one place at a time.
# OTHER is the key of another object that exists in the same bucket.
tampered_get() {
    local url=$1 other=$2 path query head signature tail flipped=0
    path=${url%%\?*}
    query=${url#*\?}
    [[ $query =~ ^(.*X-Amz-Signature=)([0-9a-f]{64})(.*)$ ]] || fail "no signature in $url"
    head=${BASH_REMATCH[1]} signature=${BASH_REMATCH[2]} tail=${BASH_REMATCH[3]}
    [[ $signature != *0 ]] || flipped=1
    # Another object with this signature.
    must_refuse fetch "${path%/*}/$other?$query"
    # Another signature.
    must_refuse fetch "$path?$head${signature%?}$flipped$tail"
    # A longer life.
    must_refuse fetch "$path?${query/X-Amz-Expires=[0-9]/X-Amz-Expires=1}"
    # One more parameter.
    must_refuse fetch "$url&response-content-type=text%2Fhtml"
    # Another method.
    must_refuse fetch --request DELETE "$url"
    all_refused
}

# with_temporary COMMAND [ARGUMENT...], without_token COMMAND [ARGUMENT...]: run it with
# TEMPORARY_ID, TEMPORARY_SECRET and TEMPORARY_TOKEN; with the right token, or with none and with a
# wrong one, which must be refused.
# shellcheck disable=SC2034 # used by the programs
with_temporary() {
    read -r TEMPORARY_ID TEMPORARY_SECRET TEMPORARY_TOKEN <<<"$S3_TEMPORARY"
    "$@"
}

# shellcheck disable=SC2034
without_token() {
    read -r TEMPORARY_ID TEMPORARY_SECRET TEMPORARY_TOKEN <<<"$S3_TEMPORARY"
    TEMPORARY_TOKEN=''
    must_refuse "$@"
    TEMPORARY_TOKEN=another/token==
    must_refuse "$@"
    all_refused
}

# expired_get URL: a presigned GET URL that lives for one second.
expired_get() {
    sleep 3
    must_refuse fetch "$1"
    all_refused
}
