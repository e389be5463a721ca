#!/usr/bin/env bash
# curl --aws-sigv4. Older releases (7.88) sign neither the query in sorted order nor an escaped
# form of the path, and only the payload hash that they are told: so parameters are given in
# order, paths escaped as S3 escapes them, and x-amz-content-sha256 is always set here, but where
# leaving it out is the point.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly EMPTY=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

refusal() {
    local status
    status=$(sed -n 's/^status \([0-9]*\)$/\1/p' "$1" | tail -n 1)
    printf '%s' "$status${status:+ }$(xml_refusal "$1")"
}

# s3 HASH TARGET CURL-ARGUMENT...
s3() {
    local hash=$1 target=$2
    shift 2
    fetch --aws-sigv4 "aws:amz:$AWS_REGION:s3" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        ${hash:+--header "x-amz-content-sha256: $hash"} "$@" "$S3_ENDPOINT$target"
}

# escape TEXT: for a path.
escape() {
    local LC_ALL=C text=$1 index byte
    for ((index = 0; index < ${#text}; index++)); do
        byte=${text:index:1}
        case $byte in
        [A-Za-z0-9._~/-]) printf '%s' "$byte" ;;
        *) printf '%%%02X' "'$byte" | sed 's/%F*\(..\)$/%\1/' ;;
        esac
    done
}

sha256() {
    sha256sum -- "$1" | cut -d ' ' -f 1
}

# put KEY FILE CURL-ARGUMENT...
put() {
    local key=$1 file=$2
    shift 2
    s3 "$(sha256 "$file")" "/$S3_BUCKET/$(escape "$key")" --upload-file "$file" "$@"
}

get() {
    s3 "$EMPTY" "/$S3_BUCKET/$(escape "$1")" >"$S3_WORK/got"
}

check() {
    get "$1"
    same "$S3_WORK/got" "$2"
}

# listed QUERY: keys, one in a line. The query's parameters must be in order.
listed() {
    s3 "$EMPTY" "/$S3_BUCKET?$1" | sed 's/<Key>/\n<Key>/g' | sed -n 's/^<Key>\(.*\)<\/Key>.*/\1/p'
}

# post HASH-OF-FILE TARGET CURL-ARGUMENT...
post() {
    local file=$1 target=$2
    shift 2
    s3 "$(sha256 "$file")" "$target" --request POST --header 'content-type: application/xml' \
        --data-binary "@$file" "$@"
}

create_bucket() {
    s3 "$EMPTY" "/$S3_BUCKET" --request PUT
}

head_bucket() {
    s3 "$EMPTY" "/$S3_BUCKET" --head
}

location() {
    s3 "$EMPTY" "/$S3_BUCKET?location=" | grep -F '<LocationConstraint'
}

list_buckets() {
    s3 "$EMPTY" / | grep -F "<Name>$S3_BUCKET</Name>"
}

put_file() {
    put "$1" "$S3_FILES/$1"
    check "$1" "$S3_FILES/$1"
}

put_unsigned() {
    s3 UNSIGNED-PAYLOAD "/$S3_BUCKET/unsigned.bin" --upload-file "$S3_FILES/1m.bin"
    check unsigned.bin "$S3_FILES/1m.bin"
}

put_multipart() {
    local target=/$S3_BUCKET/12m.bin upload part number=0 etag
    upload=$(s3 "$EMPTY" "$target?uploads=" --request POST | sed -n 's/.*<UploadId>\(.*\)<\/UploadId>.*/\1/p')
    split --bytes 5M "$S3_FILES/12m.bin" "$S3_WORK/part-"
    printf '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' >"$S3_WORK/complete.xml"
    for part in "$S3_WORK"/part-*; do
        number=$((number + 1))
        s3 "$(sha256 "$part")" "$target?partNumber=$number&uploadId=$upload" --upload-file "$part"
        etag="&quot;$(md5 "$part")&quot;"
        printf '<Part><PartNumber>%s</PartNumber><ETag>%s</ETag></Part>' "$number" "$etag" >>"$S3_WORK/complete.xml"
    done
    printf '</CompleteMultipartUpload>' >>"$S3_WORK/complete.xml"
    post "$S3_WORK/complete.xml" "$target?uploadId=$upload"
    check 12m.bin "$S3_FILES/12m.bin"
}

# An upload framed as aws-chunked, with an unsigned trailer.
put_chunked() {
    local file=$S3_FILES/small.txt size
    size=$(wc -c <"$file")
    {
        printf '%x\r\n' "$size"
        cat "$file"
        printf '\r\n0\r\nx-amz-checksum-sha256:%s\r\n\r\n' "$(openssl dgst -sha256 -binary "$file" | base64)"
    } >"$S3_WORK/chunked"
    s3 STREAMING-UNSIGNED-PAYLOAD-TRAILER "/$S3_BUCKET/chunked.txt" --upload-file "$S3_WORK/chunked" \
        --header 'content-encoding: aws-chunked' --header 'x-amz-trailer: x-amz-checksum-sha256' \
        --header "x-amz-decoded-content-length: $size"
    check chunked.txt "$file"
}

# Labelled as a signed stream, but no chunk carries a signature: the worst that the next two may
# end in is a refusal.
put_false_stream() {
    must_refuse s3 "$1" "/$S3_BUCKET/never.txt" --upload-file "$S3_FILES/small.txt" \
        --header "x-amz-decoded-content-length: $(wc -c <"$S3_FILES/small.txt")"
    all_refused
}

put_other_body() {
    must_refuse s3 "$(sha256 "$S3_FILES/1m.bin")" "/$S3_BUCKET/never.txt" --upload-file "$S3_FILES/small.txt"
    must_refuse s3 "$EMPTY" "/$S3_BUCKET/never.txt" --upload-file "$S3_FILES/1m.bin"
    # The hash of an empty body signed, none sent along.
    all_refused
}

put_no_hash() {
    must_refuse s3 "" "/$S3_BUCKET/never.txt" --upload-file "$S3_FILES/small.txt"
    all_refused
}

# put_checksum HEAD|TRAILER KEY FILE ALGORITHM CHECKSUM: in a header, or behind a stream of two chunks.
put_checksum() {
    local place=$1 key=$2 file=$3 name=x-amz-checksum-${4,,} value=$5 size half
    if [[ $place == HEAD ]]; then
        put "$key" "$file" --header "$name: $value"
        return
    fi
    size=$(wc -c <"$file")
    half=$((size / 2))
    {
        printf '%x\r\n' "$half"
        head -c "$half" "$file"
        printf '\r\n%x\r\n' "$((size - half))"
        tail -c "+$((half + 1))" "$file"
        printf '\r\n0\r\n%s:%s\r\n\r\n' "$name" "$value"
    } >"$S3_WORK/chunked"
    s3 STREAMING-UNSIGNED-PAYLOAD-TRAILER "/$S3_BUCKET/$(escape "$key")" --upload-file "$S3_WORK/chunked" \
        --header 'content-encoding: aws-chunked' --header "x-amz-trailer: $name" \
        --header "x-amz-decoded-content-length: $size"
}

# checksum ALGORITHM CHECKSUM ANSWER
checksum() {
    local place answer
    for place in HEAD TRAILER; do
        put_checksum "$place" checksum.bin "$S3_FILES/200k.bin" "$1" "$2"
        s3 "$EMPTY" "/$S3_BUCKET/checksum.bin" --header 'x-amz-checksum-mode: ENABLED' \
            --dump-header "$S3_WORK/headers" >"$S3_WORK/got"
        same "$S3_WORK/got" "$S3_FILES/200k.bin"
        answer=$(tr -d '\r' <"$S3_WORK/headers" | sed -n "s/^x-amz-checksum-${1,,}: *//Ip")
        equal checksum "${answer:--}" "$3"
        s3 "$EMPTY" "/$S3_BUCKET/checksum.bin" --request DELETE
    done
}

# The checksums of another body.
checksum_wrong() {
    local algorithm value
    while IFS=$'\t' read -r _ algorithm value _; do
        must_refuse put_checksum HEAD never.txt "$S3_FILES/small.txt" "$algorithm" "$value"
        must_refuse put_checksum TRAILER never.txt "$S3_FILES/small.txt" "$algorithm" "$value"
    done <"$S3_CHECKSUMS"
    all_refused
}

get_range() {
    s3 "$EMPTY" "/$S3_BUCKET/1m.bin" --range 1000-4999 >"$S3_WORK/range"
    same "$S3_WORK/range" <(tail -c +1001 "$S3_FILES/1m.bin" | head -c 4000)
}

head_object() {
    local answer
    answer=$(s3 "$EMPTY" "/$S3_BUCKET/1m.bin" --head | tr -d '\r' | tr '[:upper:]' '[:lower:]')
    grep -Fx 'content-length: 1048576' <<<"$answer" || fail "wrong length"
    grep -Fx "etag: \"$(md5 "$S3_FILES/1m.bin")\"" <<<"$answer" || fail "wrong ETag"
}

list_v1() {
    local key
    for key in a/1 a/2 b/3 c "d e+f"; do
        put "tree/$key" "$S3_FILES/small.txt"
    done
    equal keys "$(listed prefix=tree%2F)" $'tree/a/1\ntree/a/2\ntree/b/3\ntree/c\ntree/d e+f'
}

list_v2() {
    local query='delimiter=%2F&list-type=2&prefix=tree%2F'
    equal keys "$(listed "$query")" $'tree/c\ntree/d e+f'
    equal prefixes "$(s3 "$EMPTY" "/$S3_BUCKET?$query" | grep -o '<Prefix>tree/./</Prefix>' | tr -d '\n')" \
        '<Prefix>tree/a/</Prefix><Prefix>tree/b/</Prefix>'
}

list_pages() {
    local query='list-type=2&max-keys=2&prefix=tree%2F' page token
    page=$(s3 "$EMPTY" "/$S3_BUCKET?$query")
    token=$(sed -n 's/.*<NextContinuationToken>\(.*\)<\/NextContinuationToken>.*/\1/p' <<<"$page")
    [[ -n $token ]] || fail "no continuation token"
    token=$(escape "$token")
    equal "second page" "$(listed "continuation-token=${token//\//%2F}&$query")" $'tree/b/3\ntree/c'
}

odd_key() {
    put "$1" "$S3_FILES/small.txt"
    check "$1" "$S3_FILES/small.txt"
}

copy() {
    put "copy from +ü.txt" "$S3_FILES/small.txt"
    s3 "$EMPTY" "/$S3_BUCKET/copy.txt" --request PUT \
        --header "x-amz-copy-source: /$S3_BUCKET/$(escape "copy from +ü.txt")"
    check copy.txt "$S3_FILES/small.txt"
}

delete() {
    put doomed "$S3_FILES/small.txt"
    s3 "$EMPTY" "/$S3_BUCKET/doomed" --request DELETE
    equal listing "$(listed prefix=doomed)" ''
}

multi_delete() {
    local file=$S3_WORK/delete.xml
    put doomed/1 "$S3_FILES/small.txt"
    put "doomed/2 +ü" "$S3_FILES/small.txt"
    printf '<Delete><Object><Key>doomed/1</Key></Object><Object><Key>doomed/2 +ü</Key></Object></Delete>' >"$file"
    post "$file" "/$S3_BUCKET?delete=" --header "content-md5: $(openssl dgst -md5 -binary "$file" | base64)"
    equal listing "$(listed prefix=doomed%2F)" ''
}

metadata() {
    local answer
    put metadata.txt "$S3_FILES/small.txt" --header 'x-amz-meta-plain: value' \
        --header 'X-Amz-Meta-Spaces: two  spaces' --header 'content-type: text/x-test'
    answer=$(s3 "$EMPTY" "/$S3_BUCKET/metadata.txt" --head | tr -d '\r')
    grep -Fxi 'x-amz-meta-plain: value' <<<"$answer" || fail "no x-amz-meta-plain"
    grep -Fxi 'x-amz-meta-spaces: two  spaces' <<<"$answer" || fail "no x-amz-meta-spaces"
    grep -Fxi 'content-type: text/x-test' <<<"$answer" || fail "no content-type"
}

refused_to() {
    must_refuse get 1m.bin
    must_refuse put never.txt "$S3_FILES/small.txt"
    must_refuse listed list-type=2
    all_refused
}

anonymous() {
    must_refuse fetch "$S3_ENDPOINT/$S3_BUCKET/1m.bin"
    must_refuse fetch --upload-file "$S3_FILES/small.txt" "$S3_ENDPOINT/$S3_BUCKET/never.txt"
    must_refuse fetch "$S3_ENDPOINT/"
    all_refused
}

temporary() {
    AWS_ACCESS_KEY_ID=$TEMPORARY_ID AWS_SECRET_ACCESS_KEY=$TEMPORARY_SECRET
    s3 "$EMPTY" "/$S3_BUCKET/1m.bin" ${TEMPORARY_TOKEN:+--header "x-amz-security-token: $TEMPORARY_TOKEN"} >"$S3_WORK/got"
    same "$S3_WORK/got" "$S3_FILES/1m.bin"
}

# A token that comes with a key which has none.
foreign_token() {
    must_refuse s3 "$EMPTY" "/$S3_BUCKET/1m.bin" --header "x-amz-security-token: ${S3_TEMPORARY##* }"
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
    local key
    equal "what refused writes left" "$(listed prefix=never)" ''
    # The listing is not unescaped here; an odd key's own escape is known.
    while IFS=$'\t' read -r _ key; do
        s3 "$EMPTY" "/$S3_BUCKET/$(escape "$key")" --request DELETE
    done <"$S3_KEYS"
    while IFS= read -r key || [[ -n $key ]]; do
        s3 "$EMPTY" "/$S3_BUCKET/$(escape "$key")" --request DELETE
    done < <(listed list-type=2)
    s3 "$EMPTY" "/$S3_BUCKET" --request DELETE
}

attempt create-bucket create_bucket
attempt head-bucket head_bucket
attempt location location
attempt list-buckets list_buckets
attempt put-empty put_file empty.bin
attempt put-small put_file small.txt
attempt put-1m put_file 1m.bin
attempt put-unsigned put_unsigned
attempt put-multipart put_multipart
attempt put-chunked put_chunked
attempt put-false-stream put_false_stream STREAMING-AWS4-HMAC-SHA256-PAYLOAD
attempt put-false-trailer put_false_stream STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
attempt put-other-body put_other_body
attempt put-no-hash put_no_hash
attempt get check 12m.bin "$S3_FILES/12m.bin"
attempt get-range get_range
attempt head head_object
attempt list-v1 list_v1
attempt list-v2 list_v2
attempt list-pages list_pages
while IFS=$'\t' read -r operation key; do
    attempt "$operation" odd_key "$key"
done <"$S3_KEYS"
attempt copy copy
attempt delete delete
attempt multi-delete multi_delete
attempt metadata metadata
while IFS=$'\t' read -r operation algorithm value kept; do
    attempt "$operation" checksum "$algorithm" "$value" "$kept"
done <"$S3_CHECKSUMS"
attempt checksum-wrong checksum_wrong
attempt anonymous anonymous
if [[ -n ${S3_TEMPORARY:-} ]]; then
    attempt temporary-key with_temporary temporary
    attempt temporary-no-token without_token temporary
    attempt temporary-foreign foreign_token
fi
attempt wrong-secret wrong_secret
attempt unknown-key unknown_key
attempt delete-bucket delete_bucket
