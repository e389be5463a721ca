#!/usr/bin/env bash
# rclone: small uploads are UNSIGNED-PAYLOAD, and accept-encoding is signed.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

export RCLONE_CONFIG=$S3_WORK/rclone.conf
: >"$RCLONE_CONFIG"
export RCLONE_CONFIG_R_TYPE=s3 RCLONE_CONFIG_R_PROVIDER=Other RCLONE_CONFIG_R_FORCE_PATH_STYLE=true \
    RCLONE_CONFIG_R_ENDPOINT=$S3_ENDPOINT RCLONE_CONFIG_R_REGION=$AWS_REGION \
    RCLONE_CONFIG_R_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID RCLONE_CONFIG_R_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY \
    RCLONE_CONFIG_R_UPLOAD_CUTOFF=5M RCLONE_CONFIG_R_CHUNK_SIZE=5M

rclone() {
    command rclone --retries 1 --low-level-retries 1 --contimeout 5s --timeout 30s \
        ${S3_CA:+--ca-cert "$S3_CA"} "$@"
}

# "InvalidAccessKeyId: words, status code: 403", or only "403 Forbidden" for a HEAD request.
refusal() {
    local code status
    status=$(grep -oE 'status code: [0-9]+' "$1" | tail -n 1 | grep -oE '[0-9]+$' || true)
    code=$(grep -B 1 -E 'status code: [0-9]+' "$1" | grep -oE '[A-Z][A-Za-z]+: ' | tail -n 1 | tr -d ': ' || true)
    [[ -n $status ]] || code=$(grep -oE '(: 4[0-9][0-9] [A-Z][a-z]+)$' "$1" | tail -n 1 | tr -d ':' || true)
    [[ -n $code$status ]] || code=$(xml_refusal "$1")
    printf '%s' "$status${status:+ }$code"
}

at() {
    printf 'r:%s/%s' "$S3_BUCKET" "$1"
}

put() {
    rclone copyto "$2" "$(at "$1")"
}

check() {
    local to
    to=$(fresh)
    rclone copyto "$(at "$1")" "$to"
    same "$to" "$2"
}

put_file() {
    put "$1" "$S3_FILES/$1"
    check "$1" "$S3_FILES/$1"
}

put_stream() {
    rclone rcat "$(at stream.bin)" <"$S3_FILES/12m.bin"
    check stream.bin "$S3_FILES/12m.bin"
    rclone rcat "$(at stream.txt)" <"$S3_FILES/small.txt"
    check stream.txt "$S3_FILES/small.txt"
}

list_buckets() {
    rclone lsf r: | grep -Fx "$S3_BUCKET/"
}

get_range() {
    rclone cat --offset 1000 --count 4000 "$(at 1m.bin)" >"$S3_WORK/range"
    same "$S3_WORK/range" <(tail -c +1001 "$S3_FILES/1m.bin" | head -c 4000)
}

head_object() {
    equal "size and MD5" "$(rclone lsf --format sh --hash MD5 "$(at 1m.bin)")" "1048576;$(md5 "$S3_FILES/1m.bin")"
}

list_v1() {
    local key
    for key in a/1 a/2 b/3 c "d e+f"; do
        put "tree/$key" "$S3_FILES/small.txt"
    done
    equal names "$(rclone lsf "$(at tree/)" | sort)" $'a/\nb/\nc\nd e+f'
}

list_v2() {
    equal names "$(rclone lsf --s3-list-version 2 "$(at tree/)" | sort)" $'a/\nb/\nc\nd e+f'
    equal files "$(rclone lsf --s3-list-version 2 --recursive --files-only "$(at tree/)" | sort)" \
        $'a/1\na/2\nb/3\nc\nd e+f'
}

list_pages() {
    local version
    for version in 1 2; do
        equal files "$(rclone lsf --s3-list-version "$version" --s3-list-chunk 2 --recursive --files-only \
            "$(at tree/)" | sort)" $'a/1\na/2\nb/3\nc\nd e+f'
    done
}

odd_key() {
    put "$1" "$S3_FILES/small.txt"
    check "$1" "$S3_FILES/small.txt"
    rclone lsf --recursive --files-only "$(at odd/)" | grep -Fx -- "${1#odd/}" || fail "not listed"
}

copy() {
    put "copy from +ü.txt" "$S3_FILES/small.txt"
    rclone copyto "$(at "copy from +ü.txt")" "$(at copy.txt)"
    check copy.txt "$S3_FILES/small.txt"
}

copy_multipart() {
    rclone copyto --s3-copy-cutoff 5M "$(at 12m.bin)" "$(at 12m-copy.bin)"
    check 12m-copy.bin "$S3_FILES/12m.bin"
}

delete() {
    put doomed "$S3_FILES/small.txt"
    rclone deletefile "$(at doomed)"
    equal listing "$(rclone lsf --files-only --include doomed "$(at '')")" ''
}

metadata() {
    local answer
    rclone copyto --metadata --header-upload 'x-amz-meta-plain: value' --header-upload 'content-type: text/x-test' \
        "$S3_FILES/small.txt" "$(at metadata.txt)"
    answer=$(rclone lsjson --stat --metadata "$(at metadata.txt)" | tr -d ' ')
    [[ $answer == *'"plain":"value"'* ]] || fail "no metadata in $answer"
    [[ $answer == *'"MimeType":"text/x-test"'* ]] || fail "no type in $answer"
}

presign() {
    rclone link --expire "${2:-300s}" "$(at "$1")"
}

presigned_get() {
    fetch "$(presign 1m.bin)" >"$S3_WORK/presigned"
    same "$S3_WORK/presigned" "$S3_FILES/1m.bin"
}

presigned_expired() {
    expired_get "$(presign 1m.bin 1s)"
}

presigned_tampered() {
    tampered_get "$(presign 1m.bin)" small.txt
}

refused_to() {
    must_refuse rclone lsf "$(at '')"
    must_refuse rclone copyto --s3-no-check-bucket "$S3_FILES/small.txt" "$(at never.txt)"
    must_refuse rclone lsf r:
    all_refused
}

wrong_secret() {
    RCLONE_CONFIG_R_SECRET_ACCESS_KEY=not${AWS_SECRET_ACCESS_KEY:3}
    refused_to
}

unknown_key() {
    RCLONE_CONFIG_R_ACCESS_KEY_ID=AKIAUNKNOWNEXAMPLE00
    refused_to
}

delete_bucket() {
    equal "what refused writes left" "$(rclone lsf --files-only --include never.txt "$(at '')")" ''
    rclone purge "r:$S3_BUCKET"
}

attempt create-bucket rclone mkdir "r:$S3_BUCKET"
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
attempt list-v2 list_v2
attempt list-pages list_pages
while IFS=$'\t' read -r operation key; do
    [[ $key == *//* ]] || attempt "$operation" odd_key "$key"
done <"$S3_KEYS"
attempt copy copy
attempt copy-multipart copy_multipart
attempt delete delete
attempt metadata metadata
attempt presigned-get presigned_get
attempt presigned-expired presigned_expired
attempt presigned-tampered presigned_tampered
attempt wrong-secret wrong_secret
attempt unknown-key unknown_key
attempt delete-bucket delete_bucket
