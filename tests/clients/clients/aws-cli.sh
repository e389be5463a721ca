#!/usr/bin/env bash
# The AWS command line, version 1 or 2: AWS is the program.
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

aws() {
    "$AWS" --endpoint-url "$S3_ENDPOINT" ${S3_CA:+--ca-bundle "$S3_CA"} \
        --cli-connect-timeout 5 --cli-read-timeout 30 "$@"
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
    aws s3 ls | grep -q " $S3_BUCKET\$" || fail "own bucket not listed"
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
        put "tree/$key" "$S3_FILES/small.txt"
    done
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

odd_key() {
    local answer
    aws s3 cp "$S3_FILES/small.txt" "s3://$S3_BUCKET/$1"
    check "$1" "$S3_FILES/small.txt"
    aws s3api list-objects-v2 --bucket "$S3_BUCKET" --prefix odd/ --output json >"$S3_WORK/odd.json"
    answer=$(python3 -c 'import json, sys
print(sys.argv[2] in [entry["Key"] for entry in json.load(open(sys.argv[1]))["Contents"]])' "$S3_WORK/odd.json" "$1")
    equal listed "$answer" True
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
while IFS=$'\t' read -r operation key; do
    attempt "$operation" odd_key "$key"
done <"$S3_KEYS"
attempt copy copy
attempt copy-multipart copy_multipart
attempt delete delete
attempt multi-delete multi_delete
attempt metadata metadata
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
