// The AWS SDK for JavaScript, version 3. For the environment see ../lib.sh.
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import * as sdk from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { createPresignedPost } from '@aws-sdk/s3-presigned-post'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'

const {
  S3_ENDPOINT, S3_BUCKET: Bucket, S3_FILES, S3_KEYS, S3_CHECKSUMS,
  S3_TEMPORARY, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
} = process.env
const MIB = 1024 * 1024
const path = (name) => `${S3_FILES}/${name}`
const content = (name) => readFileSync(path(name))
const table = (file) => readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => line.split('\t'))
// What the SDK calculates; of any other algorithm it has to be given the checksum.
const CALCULATED = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']
const md5 = (data) => createHash('md5').update(data).digest('hex')

class Refused extends Error {}
class Failure extends Error {}

const client = (credentials = {}) => new sdk.S3Client({
  endpoint: S3_ENDPOINT,
  region: AWS_REGION,
  forcePathStyle: true,
  maxAttempts: 1,
  credentials: {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...credentials,
  },
})

const s3 = client()
const send = (command, input, by = s3) => by.send(new sdk[`${command}Command`]({ Bucket, ...input }))

const refusal = (error) => {
  if (error instanceof Refused) return error.message
  const status = error.$metadata?.httpStatusCode
  return status >= 400 ? `${status} ${error.name}` : undefined
}

const attempt = async (operation, run) => {
  let outcome = 'ok'
  let detail = ''
  try {
    await run()
  } catch (error) {
    const code = refusal(error)
    outcome = code ? 'refused' : 'fail'
    detail = code ?? String(error)
    console.error(`==== ${operation}`)
    console.error(error)
  }
  console.log([operation, outcome, detail.replace(/\s+/g, ' ')].join('\t'))
}

// Every one of them must be refused; ends the operation as refused.
const mustRefuse = async (...runs) => {
  const codes = []
  for (const [index, run] of runs.entries()) {
    const error = await run().then(() => undefined, (error) => error)
    if (!error) throw new Failure(`attempt ${index + 1} of ${runs.length} was not refused`)
    const code = refusal(error)
    if (!code) throw error
    codes.push(code)
  }
  throw new Refused(codes.join(' '))
}

const equal = (what, actual, expected) => {
  const same = Buffer.isBuffer(expected)
    ? expected.equals(actual)
    : JSON.stringify(actual) === JSON.stringify(expected)
  if (same) return
  const show = (x) => (Buffer.isBuffer(x) ? `${x.length} bytes, md5 ${md5(x)}` : JSON.stringify(x))
  throw new Failure(`${what} is ${show(actual)}, not ${show(expected)}`)
}

// A plain HTTP request, for presigned URLs.
const request = async (url, init) => {
  const response = await fetch(url, init)
  const body = Buffer.from(await response.arrayBuffer())
  if (response.status >= 400) {
    const code = /<Code>(\w+)<\/Code>/.exec(body.toString())?.[1]
    throw new Refused(`${response.status} ${code ?? body.toString().slice(0, 99)}`)
  }
  return body
}

const put = (Key, Body, more = {}) => send('PutObject', { Key, Body, ...more })
const get = async (Key, more = {}) => {
  const answer = await send('GetObject', { Key, ...more })
  return Buffer.from(await answer.Body.transformToByteArray())
}
const keys = (listing) => (listing.Contents ?? []).map((entry) => entry.Key)
const exists = async (Key) => keys(await send('ListObjectsV2', { Prefix: Key })).includes(Key)

const putFile = async (name) => {
  const data = content(name)
  const { ETag } = await put(name, data)
  equal('ETag', ETag, `"${md5(data)}"`)
  equal('object', await get(name), data)
}

// lib-storage: cuts the body into parts, each of them a buffer.
const upload = async (Key, Body, expected) => {
  await new Upload({ client: s3, params: { Bucket, Key, Body }, partSize: 5 * MIB }).done()
  equal('object', await get(Key), expected)
}

const tree = async () => {
  for (const key of ['tree/a/1', 'tree/a/2', 'tree/b/3', 'tree/c', 'tree/d e+f']) await put(key, key)
}

const presign = (command, input, expiresIn = 300, by = s3) =>
  getSignedUrl(by, new sdk[`${command}Command`]({ Bucket, ...input }), { expiresIn })

const refusedTo = async (by) => {
  const attempts = () => mustRefuse(
    () => send('GetObject', { Key: '1m.bin' }, by),
    () => send('PutObject', { Key: 'never.txt', Body: 'x' }, by),
    () => send('ListObjectsV2', {}, by),
    async () => request(await presign('GetObject', { Key: '1m.bin' }, 300, by)),
  )
  try {
    await attempts()
  } finally {
    equal('object exists', await exists('never.txt'), false)
  }
}

await attempt('create-bucket', () => send('CreateBucket', {}))
await attempt('head-bucket', () => send('HeadBucket', {}))
await attempt('location', async () => {
  const { LocationConstraint } = await send('GetBucketLocation', {})
  equal('location', LocationConstraint || 'us-east-1', AWS_REGION)
})
await attempt('list-buckets', async () => {
  const { Buckets } = await s3.send(new sdk.ListBucketsCommand({}))
  equal('own bucket listed', Buckets.some(({ Name }) => Name === Bucket), true)
})
await attempt('put-empty', () => putFile('empty.bin'))
await attempt('put-small', () => putFile('small.txt'))
await attempt('put-1m', () => putFile('1m.bin'))
await attempt('put-multipart', async () => {
  await upload('12m.bin', content('12m.bin'), content('12m.bin'))
  equal('end of ETag', (await send('HeadObject', { Key: '12m.bin' })).ETag.slice(-3), '-3"')
})
await attempt('put-stream', async () => {
  await put('stream.bin', createReadStream(path('1m.bin')))
  equal('object', await get('stream.bin'), content('1m.bin'))
})
await attempt('put-stream-small', async () => {
  await put('stream.txt', Readable.from([content('small.txt')]), {
    ContentLength: content('small.txt').length,
  })
  equal('object', await get('stream.txt'), content('small.txt'))
})
await attempt('put-stream-part', async () => {
  const Key = 'stream-part.bin'
  const { UploadId } = await send('CreateMultipartUpload', { Key })
  try {
    const Body = createReadStream(path('1m.bin'))
    const { ETag } = await send('UploadPart', { Key, UploadId, PartNumber: 1, Body })
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    await send('CompleteMultipartUpload', { Key, UploadId, MultipartUpload })
  } catch (error) {
    await send('AbortMultipartUpload', { Key, UploadId })
    throw error
  }
  equal('object', await get(Key), content('1m.bin'))
})
await attempt('upload-stream', async () => {
  await upload('upload.bin', createReadStream(path('12m.bin')), content('12m.bin'))
  await upload('upload.txt', Readable.from([content('small.txt')]), content('small.txt'))
})
await attempt('multipart-abort', async () => {
  const Key = 'aborted.bin'
  const { UploadId } = await send('CreateMultipartUpload', { Key })
  const { ETag } = await send('UploadPart', { Key, UploadId, PartNumber: 1, Body: content('1m.bin') })
  const { Parts } = await send('ListParts', { Key, UploadId })
  equal('parts', Parts.map((part) => [part.PartNumber, part.ETag]), [[1, ETag]])
  await send('AbortMultipartUpload', { Key, UploadId })
  equal('object exists', await exists(Key), false)
})
await attempt('get', async () => equal('object', await get('12m.bin'), content('12m.bin')))
await attempt('get-range', async () => {
  equal('range', await get('1m.bin', { Range: 'bytes=1000-4999' }), content('1m.bin').subarray(1000, 5000))
  equal('suffix', await get('1m.bin', { Range: 'bytes=-77' }), content('1m.bin').subarray(-77))
})
await attempt('head', async () => {
  const { ContentLength, ETag } = await send('HeadObject', { Key: '1m.bin' })
  equal('length', ContentLength, MIB)
  equal('ETag', ETag, `"${md5(content('1m.bin'))}"`)
})
await attempt('list-v1', async () => {
  await tree()
  const listing = await send('ListObjects', { Prefix: 'tree/' })
  equal('keys', keys(listing), ['tree/a/1', 'tree/a/2', 'tree/b/3', 'tree/c', 'tree/d e+f'])
})
await attempt('list-v2', async () => {
  await tree()
  const listing = await send('ListObjectsV2', { Prefix: 'tree/', Delimiter: '/' })
  equal('keys', keys(listing), ['tree/c', 'tree/d e+f'])
  equal('prefixes', listing.CommonPrefixes.map(({ Prefix }) => Prefix), ['tree/a/', 'tree/b/'])
  equal('keys under an odd prefix', keys(await send('ListObjectsV2', { Prefix: 'tree/d e+' })), ['tree/d e+f'])
})
await attempt('list-pages', async () => {
  await tree()
  const pages = []
  for await (const page of sdk.paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket, Prefix: 'tree/' })) {
    pages.push(keys(page))
  }
  equal('pages', pages, [['tree/a/1', 'tree/a/2'], ['tree/b/3', 'tree/c'], ['tree/d e+f']])
})
for (const [operation, key] of table(S3_KEYS)) {
  await attempt(operation, async () => {
    await put(key, key)
    equal('object', await get(key), Buffer.from(key))
    equal('listed', await exists(key), true)
  })
}
await attempt('copy', async () => {
  const source = 'copy from +ü.txt'
  await put(source, content('small.txt'))
  await send('CopyObject', { Key: 'copy.txt', CopySource: `${Bucket}/${encodeURIComponent(source)}` })
  equal('copy', await get('copy.txt'), content('small.txt'))
})
await attempt('copy-multipart', async () => {
  const Key = '12m-copy.bin'
  const { UploadId } = await send('CreateMultipartUpload', { Key })
  const Parts = []
  for (const [PartNumber, CopySourceRange] of [[1, `bytes=0-${5 * MIB - 1}`], [2, `bytes=${5 * MIB}-${12 * MIB - 1}`]]) {
    const { CopyPartResult: { ETag } } = await send('UploadPartCopy', {
      Key, UploadId, PartNumber, CopySource: `${Bucket}/12m.bin`, CopySourceRange,
    })
    Parts.push({ PartNumber, ETag })
  }
  await send('CompleteMultipartUpload', { Key, UploadId, MultipartUpload: { Parts } })
  equal('copy', await get(Key), content('12m.bin'))
})
await attempt('delete', async () => {
  await put('doomed', 'x')
  await send('DeleteObject', { Key: 'doomed' })
  equal('object exists', await exists('doomed'), false)
})
await attempt('multi-delete', async () => {
  const doomed = ['doomed/1', 'doomed/2 +ü&<>']
  for (const key of doomed) await put(key, 'x')
  const { Deleted } = await send('DeleteObjects', { Delete: { Objects: doomed.map((Key) => ({ Key })) } })
  equal('deleted', Deleted.map(({ Key }) => Key).sort(), doomed)
  equal('keys left', keys(await send('ListObjectsV2', { Prefix: 'doomed/' })), [])
})
await attempt('metadata', async () => {
  const Metadata = { plain: 'value', spaces: 'two  spaces', comma: 'a,b' }
  await put('metadata.txt', 'x', { Metadata, ContentType: 'text/x-test; charset=utf-8' })
  const answer = await send('HeadObject', { Key: 'metadata.txt' })
  const sorted = (object) => Object.entries(object).sort()
  equal('metadata', sorted(answer.Metadata), sorted(Metadata))
  equal('type', answer.ContentType, 'text/x-test; charset=utf-8')
})
for (const [operation, algorithm, value, kept] of table(S3_CHECKSUMS)) {
  await attempt(operation, async () => {
    const data = content('200k.bin')
    const Key = 'checksum.bin'
    const uploads = [[data, { [`Checksum${algorithm}`]: value }]]
    if (CALCULATED.includes(algorithm)) {
      uploads.push([data, { ChecksumAlgorithm: algorithm }])
      // In a trailer.
      uploads.push([createReadStream(path('200k.bin')), { ChecksumAlgorithm: algorithm }])
    }
    for (const [body, more] of uploads) {
      await put(Key, body, more)
      const answer = await send('GetObject', { Key, ChecksumMode: 'ENABLED' })
      equal('checksum', answer[`Checksum${algorithm}`] ?? '-', kept)
      equal('object', Buffer.from(await answer.Body.transformToByteArray()), data)
      await send('DeleteObject', { Key })
    }
  })
}
await attempt('checksum-wrong', async () => {
  try {
    await mustRefuse(...table(S3_CHECKSUMS).map(([, algorithm, value]) => () =>
      put('never.txt', 'x', { [`Checksum${algorithm}`]: value })))
  } finally {
    equal('object exists', await exists('never.txt'), false)
  }
})
await attempt('presigned-get', async () => {
  equal('object', await request(await presign('GetObject', { Key: '1m.bin' })), content('1m.bin'))
})
await attempt('presigned-put', async () => {
  const url = await presign('PutObject', { Key: 'presigned.bin' })
  await request(url, { method: 'PUT', body: content('1m.bin') })
  equal('object', await get('presigned.bin'), content('1m.bin'))
})
await attempt('presigned-expired', async () => {
  const url = await presign('GetObject', { Key: '1m.bin' }, 1)
  await sleep(3000)
  await mustRefuse(() => request(url))
})
await attempt('presigned-tampered', async () => {
  const url = await presign('GetObject', { Key: '1m.bin' })
  const flip = (digit) => (digit === '0' ? '1' : '0')
  await mustRefuse(
    () => request(url.replace('/1m.bin?', '/small.txt?')),
    () => request(url.replace(/(X-Amz-Signature=[0-9a-f]{63})([0-9a-f])/, (_, head, last) => head + flip(last))),
    () => request(url.replace(/X-Amz-Expires=\d+/, 'X-Amz-Expires=86400')),
    () => request(`${url}&response-content-type=text%2Fhtml`),
    () => request(url, { method: 'DELETE' }),
  )
})
// A browser's form, posted as a page would.
const form = (more = {}, by = s3) => createPresignedPost(by, { Bucket, Key: 'form/${filename}', Expires: 300, ...more })
const post = ({ url, fields }, name, data) => {
  const body = new FormData()
  for (const [field, value] of Object.entries(fields)) body.append(field, value)
  body.append('file', new Blob([data]), name)
  return request(url, { method: 'POST', body })
}
// Nothing is stored of what is refused.
const formRefused = async (key, run) => {
  try {
    await mustRefuse(run)
  } finally {
    equal('object exists', await exists(key), false)
  }
}
await attempt('form-post', async () => {
  const data = content('1m.bin')
  const Fields = { 'Content-Type': 'image/x-test', 'x-amz-meta-a': 'b c', success_action_status: '201' }
  const Conditions = [['content-length-range', data.length, data.length]]
  const signers = [s3]
  if (S3_TEMPORARY) {
    const [accessKeyId, secretAccessKey, sessionToken] = S3_TEMPORARY.split(' ')
    signers.push(client({ accessKeyId, secretAccessKey, sessionToken }))
  }
  for (const by of signers) {
    const answer = (await post(await form({ Fields, Conditions }, by), 'ü &.bin', data)).toString()
    for (const part of [`<Bucket>${Bucket}</Bucket>`, '<Key>form/ü &amp;.bin</Key>', md5(data)]) {
      equal(`${part} in ${answer}`, answer.includes(part), true)
    }
    const { Body, ContentType, Metadata } = await send('GetObject', { Key: 'form/ü &.bin' })
    equal('object', Buffer.from(await Body.transformToByteArray()), data)
    equal('type', ContentType, 'image/x-test')
    equal('metadata', Metadata, { a: 'b c' })
    await send('DeleteObject', { Key: 'form/ü &.bin' })
  }
})
await attempt('form-forbidden', async () => {
  const { url, fields } = await form()
  await formRefused('never/x', () => post({ url, fields: { ...fields, key: 'never/x' } }, 'x', 'x'))
})
await attempt('form-too-large', async () => {
  const issued = await form({ Conditions: [['content-length-range', 1, 200 * 1024]] })
  await formRefused('form/x', () => post(issued, 'x', Buffer.concat([content('200k.bin'), Buffer.from('x')])))
})
await attempt('form-expired', async () => {
  const issued = await form({ Expires: 1 })
  await sleep(3000)
  await formRefused('form/x', () => post(issued, 'x', 'x'))
})
if (S3_TEMPORARY) {
  const [accessKeyId, secretAccessKey, sessionToken] = S3_TEMPORARY.split(' ')
  await attempt('temporary-key', async () => {
    const by = client({ accessKeyId, secretAccessKey, sessionToken })
    await send('PutObject', { Key: 'temporary.txt', Body: 'temporary' }, by)
    const url = await presign('GetObject', { Key: 'temporary.txt' }, 300, by)
    equal('object', await request(url), Buffer.from('temporary'))
  })
  await attempt('temporary-no-token', () => refusedTo(client({ accessKeyId, secretAccessKey })))
  await attempt('temporary-foreign', () => refusedTo(client({ sessionToken })))
}
await attempt('wrong-secret', () => refusedTo(client({ secretAccessKey: `not${AWS_SECRET_ACCESS_KEY.slice(3)}` })))
await attempt('unknown-key', () => refusedTo(client({ accessKeyId: 'AKIAUNKNOWNEXAMPLE00' })))
await attempt('delete-bucket', async () => {
  for await (const page of sdk.paginateListObjectsV2({ client: s3 }, { Bucket })) {
    for (const Key of keys(page)) await send('DeleteObject', { Key })
  }
  await send('DeleteBucket', {})
})
