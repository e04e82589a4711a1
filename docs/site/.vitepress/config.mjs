// The configuration of VitePress. It was chosen because its current release runs on
// Node.js 20, reads the Markdown as it is (no front matter), leads the language switch
// to the same page, searches offline, and stops at a dead link.
//
// SITE_BASE is the path under which the site is served, such as /redial/.

import fs from 'node:fs'
import path from 'node:path'
import GithubSlugger from 'github-slugger'
import { defineConfig } from 'vitepress'
import { links } from '../links.mjs'
import { fileOf, languages, sections, shortTitles } from '../pages.mjs'
import { root, stage, staged, titleOf } from '../stage.mjs'
import { korean, koreanSearch } from './korean.mjs'

const base = `/${process.env.SITE_BASE ?? ''}/`.replace(/\/+/g, '/')

// The lab is there when make lab-wasm has built it.
const lab = path.join(root, 'out/lab')
const hasLab = fs.existsSync(path.join(lab, 'index.html'))
const addresses = stage(hasLab)
if (hasLab) fs.cpSync(lab, path.join(staged, 'public/lab'), { recursive: true })

const slug = (title) => new GithubSlugger().slug(title)

function theme(language) {
  const { folder, lab } = languages[language]
  const link = (name) => `/${folder}${name}`
  return {
    nav: [
      ...sections.map((s) => ({ text: s.title[language], link: link(s.pages[0]), activeMatch: `^/${folder}(${s.pages.join('|')})\\.html` })),
      // The lab is no page of the generator: its link has to load it.
      ...(hasLab ? [{ text: lab, link: `/lab/?lang=${language}`, target: '_self' }] : []),
    ],
    sidebar: sections.map((s) => ({
      text: s.title[language],
      items: s.pages.map((name) => ({ text: shortTitles[name]?.[language] ?? titleOf(fileOf(name, language)), link: link(name) })),
    })),
  }
}

// The start page is in English. It sends a reader whose browser prefers Korean on, once in
// a tab: the language switch leads back here.
const toTheReadersLanguage = `(() => {
  const preferred = navigator.languages.find((l) => /^(en|ko)\\b/.test(l)) ?? ''
  if (!preferred.startsWith('ko') || sessionStorage.getItem('language-asked')) return
  sessionStorage.setItem('language-asked', preferred)
  location.replace('${base}ko/' + location.search + location.hash)
})()`

export default defineConfig({
  base,
  transformHead: ({ page }) => (page === 'index.md' ? [['script', {}, toTheReadersLanguage]] : []),
  srcDir: staged,
  outDir: path.join(root, 'out/site'),
  cacheDir: path.join(root, 'out/site-cache'),
  ignoreDeadLinks: 'localhostLinks', // where the reader's own server will be
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}icon.svg` }]],
  title: 'Redial',
  description: 'What a Socket.IO chat does when the connection breaks',
  locales: {
    root: { lang: 'en', label: languages.en.label, themeConfig: theme('en') },
    ko: {
      lang: 'ko', label: languages.ko.label, link: '/ko/',
      description: '연결이 끊기면 Socket.IO 채팅에서 일어나는 일',
      themeConfig: { ...theme('ko'), ...korean },
    },
  },
  themeConfig: {
    logo: '/icon.svg',
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        locales: { ko: koreanSearch },
        miniSearch: {
          // VitePress sends these functions to the browser as text: they stand alone.
          searchOptions: {
            combineWith: 'AND',
            // A Korean word of two letters is near many others: only long words are guessed at.
            fuzzy: (term) => (term.length > 3 ? 0.2 : false),
            // The definition comes first, and the long tables last.
            boostDocument: (id) => (/glossary/.test(id) ? 3 : /(conformance|fidelity|defects)\.html/.test(id) ? 0.2 : 1),
          },
        },
        _render: (text, env, md) => {
          const html = md.render(text, env)
          return env.frontmatter?.search === false ? '' : html
        },
      },
    },
  },
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    // The anchors are those of a code host, so that a link works in both places.
    anchor: { slugify: slug },
    attrs: { disable: true },
    emoji: { enabled: [] },
    languageAlias: { console: 'shellsession' },
    config: links(addresses),
  },
  vite: {
    publicDir: path.join(staged, 'public'),
    build: { chunkSizeWarningLimit: 2000 },
  },
})
