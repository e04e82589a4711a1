package docs

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"redial/docs/internal/markdown"
)

// HTML writes the tree below folder as a code host would show it, so that pages can be
// reviewed before they are published.
func HTML(t Tree, folder string) error {
	for _, name := range sorted(t) {
		text := t[name]
		if path.Ext(name) == ".md" {
			text = fmt.Sprintf(frame, languageOf(name), path.Base(name), strings.ReplaceAll(markdown.HTML(text), `.md"`, `.html"`))
			name = strings.TrimSuffix(name, ".md") + ".html"
		}
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// frame imitates GitHub's layout.
const frame = `<!DOCTYPE html><html lang="%s"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>%s</title>
<style>
:root { color-scheme: light dark; --line: #d1d9e0; --code: #f6f8fa; --link: #0969da; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --code: #151b23; --link: #4493f8; } body { background: #0d1117; color: #f0f6fc; } }
body { margin: 0 auto; padding: 24px; max-width: 860px; font: 16px/1.5 -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK KR", sans-serif; overflow-wrap: break-word; }
h1, h2 { border-bottom: 1px solid var(--line); padding-bottom: .3em; } img { max-width: 100%%; } a { color: var(--link); }
pre, code { background: var(--code); border-radius: 6px; font: 85%%/1.45 ui-monospace, "DejaVu Sans Mono", "Noto Sans Mono CJK KR", monospace; } code { padding: .2em .4em; } pre { padding: 16px; overflow: auto; } pre code { padding: 0; font-size: 100%%; }
table { border-collapse: collapse; display: block; overflow: auto; width: max-content; max-width: 100%%; } td, th { border: 1px solid var(--line); padding: 6px 13px; }
blockquote { margin: 0; padding: 0 1em; border-left: .25em solid var(--line); color: #8b949e; }
</style><body>%s</body></html>`
