// Copies the Markdown of the repository into docs/site/staged, where the generator reads
// it: without the navigation that a code host needs, and with the pictures in a light
// and a dark version. What the Markdown links to and is no page, such as a Go file,
// becomes a page that shows it, so that every link works without a code host.
//
// links.mjs turns the addresses in the Markdown into those of the site; it needs to
// know from which file a page comes, which stands in the page's frontmatter.

import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileOf, languages, sections } from './pages.mjs'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const staged = path.join(root, 'docs/site/staged')

const read = (file) => fs.readFileSync(path.join(root, file), 'utf8')
const write = (file, text) => {
  file = path.join(staged, file)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, text)
}

/** The file of the repository that a link on a page leads to; undefined for what is elsewhere. */
export function target(from, href) {
  if (/^[a-z]+:|^#|^$/.test(href)) return undefined
  const file = decodeURIComponent(href.split('#')[0])
  const at = file.startsWith('/') ? '' : path.posix.dirname(from) // a code host takes / for the repository
  return path.posix.join(at, file).replace(/^\/|\/$/g, '')
}

/** The Markdown without what is there for a code host only. */
export function clean(text) {
  return text
    .replace(/<!-- redial: nav -->[^]*?<!-- \/redial -->\n*/g, '')
    .replace(/<!-- redial:[^]*?-->\n|<!-- \/redial -->\n?/g, '')
    .replace(/^\[(English|한국어)\]\([^)]*\)( · \[[^\]]*\]\([^)]*\))*\n*/m, '')
}

const frontmatter = (fields) => `---\n${Object.entries(fields).map(([k, v]) => `${k}: ${JSON.stringify(v)}\n`).join('')}---\n\n`

/** A page that shows a file, or the files of a folder. */
function sourcePage(name, language) {
  const folder = fs.statSync(path.join(root, name)).isDirectory()
  const names = folder
    ? fs.readdirSync(path.join(root, name)).filter((f) => /\.(go|html|js)$/.test(f) && !f.endsWith('_test.go')).map((f) => `${name}/${f}`)
    : [name]
  const parts = names.map((file) => {
    const kind = { '.go': 'go', '.html': 'html', '.js': 'js', '.json': 'json', '.yml': 'yaml', '.yaml': 'yaml' }[path.extname(file)] ?? 'text'
    return (folder ? `## ${path.basename(file)}\n\n` : '') + `\`\`\`\`${kind}\n${read(file).trimEnd()}\n\`\`\`\`\n`
  })
  const fields = { from: name, language, search: false, title: name, prev: false, next: false }
  return frontmatter(fields) + `# \`${name}\`\n\n${parts.join('\n')}`
}

/** The name of the page that shows a file or a folder. A page must not end in .html itself. */
export const sourceName = (file) => `source/${file.replace(/^\./, '').replace(/\.html$/, '-html')}`

function pictures() {
  const from = path.join(root, 'docs/pictures')
  for (const name of fs.readdirSync(from, { recursive: true })) {
    if (!name.endsWith('.svg')) continue
    const text = fs.readFileSync(path.join(from, name), 'utf8')
    const query = '@media (prefers-color-scheme: dark)'
    if (!text.includes(query)) throw new Error(`docs/pictures/${name} has no dark version: it needs ${query}`)
    write(`public/pictures/light/${name}`, text.replaceAll(query, '@media not all'))
    write(`public/pictures/dark/${name}`, text.replaceAll(query, '@media all'))
  }
}

/** Every page of docs has to be in the sidebar. */
function complete(listed) {
  for (const language of Object.keys(languages)) {
    for (const file of fs.readdirSync(path.join(root, 'docs', language))) {
      const name = `docs/${language}/${file}`
      if (file.endsWith('.md') && !listed.has(name)) throw new Error(`${name} is not in docs/site/pages.mjs`)
    }
  }
}

/** Writes everything, and returns the page of the site for each file, by language. */
export function stage(lab) {
  fs.rmSync(staged, { recursive: true, force: true })
  pictures()
  write('public/icon.svg', read('docs/site/icon.svg'))
  const addresses = { en: {}, ko: {} }
  const listed = new Set()
  const linked = new Set()
  for (const name of sections.flatMap((s) => s.pages)) {
    for (const [language, { folder, note }] of Object.entries(languages)) {
      const file = fileOf(name, language)
      addresses[language][file] = `/${folder}${name}`
      listed.add(file)
      const foreign = language !== 'en' && file === fileOf(name, 'en')
      let text = clean(read(file))
      if (foreign) text = text.replace(/^# .*\n/, (title) => `${title}\n> ${note}\n`)
      write(`${folder}${name}.md`, frontmatter({ from: file, language }) + text)
      for (const [, href] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const to = target(file, href)
        if (to && !to.startsWith('docs/') && !to.endsWith('.md')) linked.add(to)
      }
    }
  }
  complete(listed)
  for (const language of Object.keys(languages)) home(language, lab)
  for (const file of linked) {
    for (const [language, { folder }] of Object.entries(languages)) {
      addresses[language][file] = `/${folder}${sourceName(file)}`
      write(`${folder}${sourceName(file)}.md`, sourcePage(file, language))
    }
  }
  // A page in the other language is that page of the site, wherever the link stands.
  for (const [language, other] of [['en', 'ko'], ['ko', 'en']]) {
    addresses[language] = { ...addresses[other], ...addresses[language] }
  }
  return addresses
}

/** The first page: the opening of the README, and where to go from there. */
function home(language, lab) {
  const { folder, start, open, check } = languages[language]
  const file = fileOf('kit', language)
  const [, alt, address, paragraph] = clean(read(file)).match(/^# .*\n+!\[([^]*?)\]\((.*?)\)\n+([^]*?)\n\n/)
  const [first, ...more] = paragraph.split('\n')
  const picture = target(file, address).replace('docs/pictures/', '')
  const actions = [{ theme: 'brand', text: start, link: `/${folder}tutorial` }]
  if (lab) actions.push({ theme: 'alt', text: open, link: `/lab/?lang=${language}`, target: '_self' })
  actions.push({ theme: 'alt', text: check, link: `/${folder}kit` })
  const image = { light: `/pictures/light/${picture}`, dark: `/pictures/dark/${picture}`, alt }
  write(`${folder}index.md`, frontmatter({
    layout: 'home', from: file, language, search: false,
    hero: { name: 'Redial', text: titleOf(fileOf('tutorial', language)), tagline: first, actions, image },
  }) + `${more.join('\n\n')}\n`)
}

/** The first heading of a page, as plain text. */
export const titleOf = (file) => read(file).match(/^# (.*)$/m)[1].replace(/`/g, '')
