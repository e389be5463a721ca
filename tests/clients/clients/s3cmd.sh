#!/usr/bin/env bash
# s3cmd: S3CMD is the program.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# configuration FILE: for the credentials in the environment.
configuration() {
    local host=${S3_ENDPOINT#*://} https=False
    [[ $S3_ENDPOINT != https:* ]] || https=True
    cat >"$1" <<CONFIG
[default]
access_key = $AWS_ACCESS_KEY_ID
secret_key = $AWS_SECRET_ACCESS_KEY
host_base = $host
host_bucket = $host
use_https = $https
signurl_use_https = $https
ca_certs_file = ${S3_CA:-}
signature_v2 = False
guess_mime_type = False
use_mime_magic = False
multipart_chunk_size_mb = 5
max_retries = 1
progress_meter = False
CONFIG
}

config=$S3_WORK/s3cfg
configuration "$config"

s3cmd() {
    "$S3CMD" --config "$config" "$@"
}

# "S3 error: 403 (SignatureDoesNotMatch): words"; a HEAD request has no code: "403 (Forbidden)".
refusal() {
    local code
    code=$(sed -n 's/.*S3 error: \([0-9]* ([A-Za-z0-9 ]*)\).*/\1/p' "$1" | tail -n 1 | tr -d '()')
    printf '%s' "${code:-$(xml_refusal "$1")}"
}

at() {
    printf 's3://%s/%s' "$S3_BUCKET" "$1"
}

put() {
    s3cmd put "$2" "$(at "$1")"
}

check() {
    local to
    to=$(fresh)
    s3cmd get "$(at "$1")" "$to"
    same "$to" "$2"
}

put_file() {
    put "$1" "$S3_FILES/$1"
    check "$1" "$S3_FILES/$1"
}

put_stream() {
    s3cmd put - "$(at stream.bin)" <"$S3_FILES/12m.bin"
    check stream.bin "$S3_FILES/12m.bin"
}

location() {
    s3cmd info "s3://$S3_BUCKET" | grep -E "^ *Location: *$AWS_REGION\$"
}

list_buckets() {
    s3cmd ls | grep -F " s3://$S3_BUCKET"
}

# Fetches what is missing from a file that is there already.
get_range() {
    local to
    to=$(fresh)
    head -c 1000 "$S3_FILES/1m.bin" >"$to"
    s3cmd get --continue "$(at 1m.bin)" "$to"
    same "$to" "$S3_FILES/1m.bin"
}

head_object() {
    local answer
    answer=$(s3cmd info "$(at 1m.bin)")
    grep -E '^ *File size: *1048576$' <<<"$answer" || fail "wrong size"
    grep -E "^ *MD5 sum: *$(md5 "$S3_FILES/1m.bin")\$" <<<"$answer" || fail "wrong MD5"
}

# names PREFIX: what `ls` shows, without date and size.
names() {
    s3cmd ls "$(at "$1")" | sed "s|.*s3://$S3_BUCKET/||"
}

list_v1() {
    local key
    for key in a/1 a/2 b/3 c "d e+f"; do
        put "tree/$key" "$S3_FILES/small.txt"
    done
    equal names "$(names tree/ | sort)" $'tree/a/\ntree/b/\ntree/c\ntree/d e+f'
}

odd_key() {
    put "$1" "$S3_FILES/small.txt"
    check "$1" "$S3_FILES/small.txt"
    s3cmd ls --recursive "$(at odd/)" | grep -F -- "$(at "$1")" || fail "not listed"
}

copy() {
    put "copy from +ü.txt" "$S3_FILES/small.txt"
    s3cmd cp "$(at "copy from +ü.txt")" "$(at copy.txt)"
    check copy.txt "$S3_FILES/small.txt"
}

delete() {
    put doomed "$S3_FILES/small.txt"
    s3cmd del "$(at doomed)"
    equal names "$(names doomed)" ''
}

multi_delete() {
    put doomed/1 "$S3_FILES/small.txt"
    put "doomed/2 +ü" "$S3_FILES/small.txt"
    s3cmd del --recursive "$(at doomed/)"
    equal names "$(names doomed/)" ''
}

metadata() {
    local answer
    s3cmd put --add-header 'x-amz-meta-plain: value' --mime-type text/x-test "$S3_FILES/small.txt" "$(at metadata.txt)"
    answer=$(s3cmd info "$(at metadata.txt)")
    grep -E '^ *x-amz-meta-plain: *value$' <<<"$answer" || fail "no metadata"
    grep -E '^ *MIME type: *text/x-test$' <<<"$answer" || fail "no type"
}

# Its signed URLs are of signature version 2.
signature_v2() {
    must_refuse fetch "$(s3cmd signurl "$(at 1m.bin)" +300)"
    all_refused
}

refused_to() {
    configuration "$S3_WORK/s3cfg-refused"
    # It cannot find out the region when everything is refused.
    echo "bucket_location = $AWS_REGION" >>"$S3_WORK/s3cfg-refused"
    config=$S3_WORK/s3cfg-refused
    must_refuse s3cmd ls "$(at '')"
    must_refuse put never.txt "$S3_FILES/small.txt"
    must_refuse s3cmd get "$(at 1m.bin)" "$(fresh)"
    all_refused
}

wrong_secret() {
    AWS_SECRET_ACCESS_KEY=not${AWS_SECRET_ACCESS_KEY:3}
    refused_to
}

unknown_key() {
    AWS_ACCESS_KEY_ID=AKIAUNKNOWNEXAMPLE00
    refused_to
}

delete_bucket() {
    equal "what refused writes left" "$(names never)" ''
    s3cmd del --recursive --force "s3://$S3_BUCKET"
    s3cmd rb "s3://$S3_BUCKET"
}

attempt create-bucket s3cmd mb "s3://$S3_BUCKET"
attempt location location
attempt list-buckets list_buckets
attempt put-empty put_file empty.bin
attempt put-small put_file small.txt
attempt put-1m put_file 1m.bin
attempt put-multipart put_file 12m.bin
attempt put-stream put_stream
attempt get check 12m.bin "$S3_FILES/12m.bin"
attempt get-range get_range
attempt head head_object
attempt list-v1 list_v1
while IFS=$'\t' read -r operation key; do
    attempt "$operation" odd_key "$key"
done <"$S3_KEYS"
attempt copy copy
attempt delete delete
attempt multi-delete multi_delete
attempt metadata metadata
attempt signature-v2 signature_v2
attempt wrong-secret wrong_secret
attempt unknown-key unknown_key
attempt delete-bucket delete_bucket
