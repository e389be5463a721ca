#!/usr/bin/env bash
# restic, a backup program on minio-go: uploads are signed chunk by chunk.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

export RESTIC_REPOSITORY=s3:$S3_ENDPOINT/$S3_BUCKET/repository RESTIC_PASSWORD=password RESTIC_CACHE_DIR=$S3_WORK/cache

restic() {
    command restic ${S3_CA:+--cacert "$S3_CA"} "$@"
}

# restic shows the words of a refusal, not its code; for a HEAD request words of its own.
refusal() {
    if grep -qi 'not implemented' "$1"; then
        echo NotImplemented
    elif grep -q 'Access Denied' "$1"; then
        echo AccessDenied
    fi
}

backup() {
    restic init
    (cd "$S3_FILES" && restic backup .)
    restic check --read-data
    restic restore latest --target "$S3_WORK/restored"
    diff -r "$S3_FILES" "$S3_WORK/restored" || fail "what came back differs from what was sent"
    restic forget --prune --keep-last 1
}

refused_to() {
    must_refuse restic init
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

attempt backup backup
attempt wrong-secret wrong_secret
attempt unknown-key unknown_key
