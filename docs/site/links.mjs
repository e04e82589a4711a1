// A plugin of markdown-it that turns the addresses in the Markdown, which are paths in
// the repository, into addresses of the site. An address that leads nowhere stops the
// build.

import { target } from './stage.mjs'

export function links(addresses) {
  return (md) => {
    md.core.ruler.push('redial_links', (state) => {
      const { from, language } = state.env.frontmatter ?? {}
      if (!from) return
      const inKorean = language === 'ko'
      for (const token of state.tokens.flatMap((t) => t.children ?? [])) {
        if (token.type === 'link_open') {
          const href = token.attrGet('href')
          const file = target(from, href)
          if (file === undefined) continue
          const page = addresses[inKorean ? 'ko' : 'en'][file]
          if (!page) throw new Error(`${from}: the link ${href} leads to ${file}, which is no page of the site`)
          const at = href.indexOf('#')
          token.attrSet('href', page + '.md' + (at < 0 ? '' : href.slice(at)))
        }
      }
      for (const block of state.tokens) picture(block, from)
    })
  }
}

/** A picture is two: the light and the dark one. The style sheet shows one of them. */
function picture(block, from) {
  if (!block.children) return
  block.children = block.children.flatMap((token) => {
    const file = token.type === 'image' && target(from, token.attrGet('src'))
    if (!file) return [token]
    if (!file.startsWith('docs/pictures/')) throw new Error(`${from}: the picture ${file} is not in docs/pictures`)
    return ['light', 'dark'].map((scheme) => {
      const copy = Object.assign(Object.create(Object.getPrototypeOf(token)), token, { attrs: token.attrs.map((a) => [...a]) })
      copy.attrSet('src', file.replace('docs/pictures/', `/pictures/${scheme}/`))
      copy.attrSet('class', `picture only-${scheme}`)
      copy.attrSet('loading', 'lazy')
      return copy
    })
  })
}
