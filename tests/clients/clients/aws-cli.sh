#!/usr/bin/env bash
# The AWS command line, version 1 or 2: AWS is the program, CHECKSUMS are the algorithms it has an
# option for. A process of it takes most of a second to start: files go in folders where they can, and
# PYTHON, to which the program belongs, forks the others (aws-fork.py).
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

export AWS_CONFIG_FILE=$S3_WORK/config AWS_PAGER='' AWS_MAX_ATTEMPTS=1 AWS_DEFAULT_OUTPUT=text
cat >"$AWS_CONFIG_FILE" <<CONFIG
[default]
region = $AWS_REGION
s3 =
    addressing_style = path
    signature_version = s3v4
    multipart_threshold = 5MB
    multipart_chunksize = 5MB
CONFIG

readonly FORKS=$S3_WORK/forks
mkdir "$FORKS"
mkfifo "$FORKS/ask" "$FORKS/answer"
"$PYTHON" -I -B "$(dirname -- "${BASH_SOURCE[0]}")/aws-fork.py" "$FORKS" </dev/null 3>&- &
forker=$!
trap 'kill "$forker"' EXIT

# With AFRESH, a process of its own.
aws() {
    local status
    set -- --endpoint-url "$S3_ENDPOINT" ${S3_CA:+--ca-bundle "$S3_CA"} \
        --cli-connect-timeout 5 --cli-read-timeout 30 "$@"
    if [[ -n ${AFRESH:-} ]]; then
        "$AWS" "$@"
        return
    fi
    printf '%s\0' "$@" >"$FORKS/arguments"
    env -0 >"$FORKS/environment"
    printf '%s\n' "$BASHPID" >"$FORKS/ask"
    read -r status <"$FORKS/answer"
    return "$status"
}

refusal() {
    local code
    code=$(sed -n 's/.*An error occurred (\([A-Za-z0-9]*\)).*/\1/p' "$1" | tail -n 1)
    printf '%s' "${code:-$(xml_refusal "$1")}"
}

put() {
    aws s3api put-object --bucket "$S3_BUCKET" --key "$1" --body "$2"
}

check() {
    local to
    to=$(fresh)
    aws s3api get-object --bucket "$S3_BUCKET" --key "$1" "$to"
    same "$to" "$2"
}

listed() {
    aws s3api list-objects-v2 --bucket "$S3_BUCKET" --prefix "$1" --query 'Contents[].Key' --output json
}


create_bucket() {
    aws s3api create-bucket --bucket "$S3_BUCKET"
}

head_bucket() {
    aws s3api head-bucket --bucket "$S3_BUCKET"
}

location() {
    local answer
    answer=$(aws s3api get-bucket-location --bucket "$S3_BUCKET" --query LocationConstraint)
    [[ $answer == None || $answer == null ]] || equal location "$answer" "$AWS_REGION"
}

list_buckets() {
    local answer
    answer=$(aws s3 ls)
    grep " $S3_BUCKET\$" <<<"$answer" || fail "own bucket not listed"
}

put_empty() {
    put empty.bin "$S3_FILES/empty.bin"
    check empty.bin "$S3_FILES/empty.bin"
}

put_copied() {
    aws s3 cp "$S3_FILES/$1" "s3://$S3_BUCKET/$1"
    check "$1" "$S3_FILES/$1"
}

put_multipart() {
    local etag
    put_copied 12m.bin
    etag=$(aws s3api head-object --bucket "$S3_BUCKET" --key 12m.bin --query ETag)
    [[ $etag == *-3* ]] || fail "ETag $etag is not that of three parts"
}

put_stream() {
    aws s3 cp - "s3://$S3_BUCKET/stream.bin" <"$S3_FILES/12m.bin"
    check stream.bin "$S3_FILES/12m.bin"
}

get() {
    local to
    to=$(fresh)
    aws s3 cp "s3://$S3_BUCKET/12m.bin" "$to"
    same "$to" "$S3_FILES/12m.bin"
}

get_range() {
    local to
    to=$(fresh)
    aws s3api get-object --bucket "$S3_BUCKET" --key 1m.bin --range bytes=1000-4999 "$to"
    same "$to" <(tail -c +1001 "$S3_FILES/1m.bin" | head -c 4000)
}

head_object() {
    local answer
    answer=$(aws s3api head-object --bucket "$S3_BUCKET" --key 1m.bin --query '[ContentLength,ETag]')
    equal "length and ETag" "$answer" "1048576"$'\t'"\"$(md5 "$S3_FILES/1m.bin")\""
}

tree() {
    local key
    for key in a/1 a/2 b/3 c "d e+f"; do
        mkdir -p "$S3_WORK/tree/$(dirname "$key")"
        cp "$S3_FILES/small.txt" "$S3_WORK/tree/$key"
    done
    aws s3 cp --recursive "$S3_WORK/tree" "s3://$S3_BUCKET/tree"
}

list_v1() {
    local answer
    tree
    answer=$(aws s3api list-objects --bucket "$S3_BUCKET" --prefix tree/ --query 'Contents[].Key')
    equal keys "$answer" $'tree/a/1\ttree/a/2\ttree/b/3\ttree/c\ttree/d e+f'
}

list_v2() {
    local answer
    answer=$(aws s3api list-objects-v2 --bucket "$S3_BUCKET" --prefix tree/ --delimiter / \
        --query '[Contents[].Key, CommonPrefixes[].Prefix]')
    equal "keys and prefixes" "$answer" $'tree/c\ttree/d e+f\ntree/a/\ttree/b/'
}

list_pages() {
    local answer
    answer=$(aws s3api list-objects-v2 --bucket "$S3_BUCKET" --prefix tree/ --page-size 2 \
        --query 'Contents[].Key' --output json | tr -d ' \n')
    equal keys "${answer//][/,}" '["tree/a/1","tree/a/2","tree/b/3","tree/c","tree/de+f"]'
}

# All odd keys there and back. What each of them came to is told one by one; a folder cannot hold
# a name with an empty part.
odd_keys() {
    local key
    while IFS=$'\t' read -r _ key; do
        if [[ $key == *//* ]]; then
            aws s3 cp "$S3_FILES/small.txt" "s3://$S3_BUCKET/$key" || true
            continue
        fi
        mkdir -p "$S3_WORK/sent/$(dirname -- "$key")"
        printf '%s' "$key" >"$S3_WORK/sent/$key"
    done <"$S3_KEYS"
    aws s3 cp --recursive "$S3_WORK/sent" "s3://$S3_BUCKET" || true
    aws s3 cp --recursive --exclude '*//*' "s3://$S3_BUCKET/odd" "$S3_WORK/got/odd" || true
    aws s3api list-objects-v2 --bucket "$S3_BUCKET" --prefix odd/ --query 'Contents[].[Key]' >"$S3_WORK/odd-listed"
}

odd_key() {
    if [[ $1 == *//* ]]; then
        check "$1" "$S3_FILES/small.txt"
    else
        same "$S3_WORK/got/$1" "$S3_WORK/sent/$1"
    fi
    grep -Fx -- "$1" "$S3_WORK/odd-listed" || fail "not listed"
}

copy() {
    put "copy from +ü.txt" "$S3_FILES/small.txt"
    aws s3 cp "s3://$S3_BUCKET/copy from +ü.txt" "s3://$S3_BUCKET/copy.txt"
    check copy.txt "$S3_FILES/small.txt"
}

copy_multipart() {
    aws s3 cp "s3://$S3_BUCKET/12m.bin" "s3://$S3_BUCKET/12m-copy.bin"
    check 12m-copy.bin "$S3_FILES/12m.bin"
}

delete() {
    put doomed "$S3_FILES/small.txt"
    aws s3 rm "s3://$S3_BUCKET/doomed"
    equal listing "$(listed doomed)" null
}

multi_delete() {
    put doomed/1 "$S3_FILES/small.txt"
    put "doomed/2 +ü" "$S3_FILES/small.txt"
    aws s3api delete-objects --bucket "$S3_BUCKET" \
        --delete '{"Objects": [{"Key": "doomed/1"}, {"Key": "doomed/2 +ü"}]}'
    equal listing "$(listed doomed/)" null
}

metadata() {
    local answer
    aws s3api put-object --bucket "$S3_BUCKET" --key metadata.txt --body "$S3_FILES/small.txt" \
        --metadata '{"plain": "value", "spaces": "two  spaces"}' --content-type text/x-test
    answer=$(aws s3api head-object --bucket "$S3_BUCKET" --key metadata.txt \
        --query '[ContentType, Metadata.plain, Metadata.spaces]')
    equal metadata "$answer" $'text/x-test\tvalue\ttwo  spaces'
}

# option ALGORITHM: for giving a checksum.
option() {
    case $1 in
    CRC32C) printf -- --checksum-crc32-c ;;
    CRC64NVME) printf -- --checksum-crc64-nvme ;;
    *) printf -- '--checksum-%s' "${1,,}" ;;
    esac
}

# checksum ALGORITHM CHECKSUM ANSWER: calculated by the program, which only cannot do it for MD5.
checksum() {
    local answer name=$1 to how=(--checksum-algorithm "$1")
    [[ $1 != MD5 ]] || how=("$(option MD5)" "$2")
    # Version 1 needs the AWS Common Runtime for these, and looks for it when it starts.
    case ${BOTO_DISABLE_CRT:-}$1 in
    trueCRC32C | trueCRC64NVME | trueXXHASH*) export BOTO_DISABLE_CRT=false AFRESH=yes ;;
    esac
    aws s3api put-object --bucket "$S3_BUCKET" --key checksum.bin --body "$S3_FILES/200k.bin" "${how[@]}"
    to=$(fresh)
    answer=$(aws s3api get-object --bucket "$S3_BUCKET" --key checksum.bin --checksum-mode ENABLED \
        --query "Checksum$name" "$to")
    equal checksum "${answer/None/-}" "$3"
    same "$to" "$S3_FILES/200k.bin"
}

# The checksums of another body.
checksum_wrong() {
    local algorithm value
    while IFS=$'\t' read -r _ algorithm value _; do
        [[ " $CHECKSUMS " == *" $algorithm "* ]] || continue
        must_refuse aws s3api put-object --bucket "$S3_BUCKET" --key never.txt --body "$S3_FILES/small.txt" \
            "$(option "$algorithm")" "$value"
    done <"$S3_CHECKSUMS"
    all_refused
}

presign() {
    aws s3 presign "s3://$S3_BUCKET/$1" --expires-in "${2:-300}"
}

presigned_get() {
    fetch "$(presign 1m.bin)" >"$S3_WORK/presigned"
    same "$S3_WORK/presigned" "$S3_FILES/1m.bin"
}

presigned_expired() {
    expired_get "$(presign 1m.bin 1)"
}

presigned_tampered() {
    tampered_get "$(presign 1m.bin)" small.txt
}

temporary() {
    export AWS_ACCESS_KEY_ID=$TEMPORARY_ID AWS_SECRET_ACCESS_KEY=$TEMPORARY_SECRET AWS_SESSION_TOKEN=$TEMPORARY_TOKEN
    put temporary.txt "$S3_FILES/small.txt" && fetch "$(presign temporary.txt)"
}

refused_to() {
    must_refuse aws s3api get-object --bucket "$S3_BUCKET" --key 1m.bin "$(fresh)"
    must_refuse put never.txt "$S3_FILES/small.txt"
    must_refuse aws s3 ls "s3://$S3_BUCKET"
    all_refused
}

wrong_secret() {
    export AWS_SECRET_ACCESS_KEY=not${AWS_SECRET_ACCESS_KEY:3}
    refused_to
}

unknown_key() {
    export AWS_ACCESS_KEY_ID=AKIAUNKNOWNEXAMPLE00
    refused_to
}

delete_bucket() {
    equal "what refused writes left" "$(listed never.txt)" null
    aws s3 rb --force "s3://$S3_BUCKET"
}

attempt create-bucket create_bucket
attempt head-bucket head_bucket
attempt location location
attempt list-buckets list_buckets
attempt put-empty put_empty
attempt put-small put_copied small.txt
attempt put-1m put_copied 1m.bin
attempt put-multipart put_multipart
attempt put-stream put_stream
attempt get get
attempt get-range get_range
attempt head head_object
attempt list-v1 list_v1
attempt list-v2 list_v2
attempt list-pages list_pages
odd_keys
while IFS=$'\t' read -r operation key; do
    attempt "$operation" odd_key "$key"
done <"$S3_KEYS"
attempt copy copy
attempt copy-multipart copy_multipart
attempt delete delete
attempt multi-delete multi_delete
attempt metadata metadata
while IFS=$'\t' read -r operation algorithm value kept; do
    [[ " $CHECKSUMS " != *" $algorithm "* ]] || attempt "$operation" checksum "$algorithm" "$value" "$kept"
done <"$S3_CHECKSUMS"
attempt checksum-wrong checksum_wrong
attempt presigned-get presigned_get
attempt presigned-expired presigned_expired
attempt presigned-tampered presigned_tampered
if [[ -n ${S3_TEMPORARY:-} ]]; then
    attempt temporary-key with_temporary temporary
    attempt temporary-no-token without_token temporary
fi
attempt wrong-secret wrong_secret
attempt unknown-key unknown_key
attempt delete-bucket delete_bucket
