// Posts each file with a form of its own, which the gateway issues for it, and shows what arrived.
// Whatever comes from outside is put into the page as text.

const byId = (id) => document.getElementById(id)
const drop = byId('drop')
const input = byId('files')

// So many files at a time.
const LANES = 3
const SHOWN = 50
const queue = []
let running = 0

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB']
function size(bytes) {
  let unit = 0
  let value = bytes
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`
}

const say = (text) => { byId('status').textContent = text }

class Refused extends Error {}

async function ask(path, options) {
  const answer = await fetch(path, { cache: 'no-store', ...options })
  if (!answer.ok) throw new Refused(`The gateway answers ${answer.status}.`)
  return answer.json()
}

// What an answer in XML says: an error's code and message.
function reason(status, xml) {
  const text = (name) => xml?.querySelector(name)?.textContent
  const code = text('Code')
  return code ? `${code}: ${text('Message')}` : `The gateway answers ${status}.`
}

// Posts a form. XMLHttpRequest, because fetch does not tell how far it is.
function post(url, fields, file, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const body = new FormData()
    for (const [name, value] of Object.entries(fields)) body.append(name, value)
    body.append('Content-Type', file.type || 'application/octet-stream')
    body.append('file', file) // the last one: nothing may follow it
    const request = new XMLHttpRequest()
    request.open('POST', url)
    request.upload.addEventListener('progress', (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total)
    })
    request.addEventListener('load', () => {
      if (request.status === 201) resolve()
      else reject(new Refused(reason(request.status, request.responseXML)))
    })
    request.addEventListener('error', () => {
      reject(new Refused('The connection was closed before the gateway answered.'))
    })
    request.addEventListener('abort', () => reject(new Refused('Cancelled.')))
    signal.addEventListener('abort', () => request.abort())
    if (signal.aborted) reject(new Refused('Cancelled.'))
    else request.send(body)
  })
}

class Upload {
  constructor(file) {
    this.file = file
    this.row = byId('upload').content.firstElementChild.cloneNode(true)
    const part = (selector) => this.row.querySelector(selector)
    this.progress = part('progress')
    this.state = part('.state')
    this.action = part('.action')
    part('.name').textContent = file.name
    part('.size').textContent = size(file.size)
    this.progress.setAttribute('aria-label', `Progress of ${file.name}`)
    this.action.addEventListener('click', () => this.ended ? this.wait() : this.stop.abort())
    byId('uploads').prepend(this.row)
    this.wait()
  }

  wait() {
    this.ended = false
    this.stop = new AbortController()
    this.row.className = 'upload'
    this.progress.value = 0
    this.button('Cancel')
    this.state.textContent = 'Waiting'
    queue.push(this)
    start()
  }

  button(text) {
    this.action.textContent = text
    this.action.setAttribute('aria-label', `${text} ${this.file.name}`)
  }

  async run() {
    const onProgress = (part) => {
      const percent = Math.floor(part * 100)
      this.progress.value = percent
      this.state.textContent = percent < 100 ? `${percent} %` : 'Being checked'
    }
    try {
      const { form, max } = await ask('form', { method: 'POST', signal: this.stop.signal })
      if (this.file.size > max) throw new Refused(`The file is larger than ${size(max)}.`)
      await post(form.url, form.fields, this.file, { onProgress, signal: this.stop.signal })
      this.end('stored', 'Stored')
      this.action.hidden = true
      await list()
    } catch (error) {
      const text = error.name === 'AbortError' ? 'Cancelled.' : error.message
      this.end('refused', error instanceof Refused ? error.message : text)
      this.button('Try again')
    }
  }

  end(kind, text) {
    this.ended = true
    this.row.className = `upload ${kind}`
    this.progress.value = 100
    this.state.textContent = text
    say(`${this.file.name}: ${text}`)
  }
}

function start() {
  while (running < LANES && queue.length) {
    running += 1
    queue.shift().run().finally(() => {
      running -= 1
      start()
    })
  }
}

function take(files) {
  if (!files.length) return
  byId('uploads-section').hidden = false
  say(`${files.length === 1 ? 'One file is' : `${files.length} files are`} being uploaded.`)
  for (const file of files) new Upload(file)
}

// Lists what arrived, through a URL that is signed for this.
async function list() {
  const note = byId('arrived-note')
  try {
    const { url, bucket, prefix, max } = await ask('list')
    byId('limit').textContent = `Up to ${size(max)} each`
    byId('place').textContent = `${bucket}/${prefix}`
    const answer = await fetch(url, { credentials: 'omit', cache: 'no-store' })
    const xml = new DOMParser().parseFromString(await answer.text(), 'application/xml')
    if (!answer.ok) throw new Refused(reason(answer.status, xml))
    const text = (node, name) => node.getElementsByTagName(name)[0]?.textContent ?? ''
    const files = [...xml.getElementsByTagName('Contents')].map((node) => ({
      key: text(node, 'Key'), size: Number(text(node, 'Size')), time: new Date(text(node, 'LastModified')),
    }))
    files.sort((a, b) => b.time - a.time)
    const cell = (content, kind = '') => {
      const td = document.createElement('td')
      td.textContent = content
      td.className = kind
      return td
    }
    byId('arrived').replaceChildren(...files.slice(0, SHOWN).map((file) => {
      const row = document.createElement('tr')
      const time = file.time.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })
      row.append(cell(file.key.slice(prefix.length)), cell(size(file.size), 'number'), cell(time, 'number'))
      return row
    }))
    const more = text(xml, 'IsTruncated') === 'true' ? ' There are more than were listed.' : ''
    note.textContent = files.length ? (files.length > SHOWN ? `The newest ${SHOWN} of ${files.length}.` : '') + more : 'Nothing yet.'
  } catch (error) {
    note.textContent = `What arrived cannot be listed. ${error.message}`
  }
}

input.addEventListener('change', () => {
  take([...input.files])
  input.value = '' // so that the same file can be chosen again
})
for (const kind of ['dragenter', 'dragover']) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault()
    drop.classList.add('over')
  })
}
for (const kind of ['dragleave', 'drop']) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault()
    drop.classList.remove('over')
  })
}
drop.addEventListener('drop', (event) => take([...event.dataTransfer.files]))
// A file that misses the area would replace the page.
for (const kind of ['dragover', 'drop']) window.addEventListener(kind, (event) => event.preventDefault())

list()
