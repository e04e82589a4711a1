package docs

import (
	"redial/docs/internal/markdown"
	"redial/docs/internal/picture"
)

// opening writes the animated picture at the top of the README, in the page's language.
func (p pageWriter) opening(d markdown.Directive) (string, error) {
	w, err := p.words()
	if err != nil {
		return "", err
	}
	svg, err := picture.Opening(w.say)
	if err != nil {
		return "", err
	}
	name := p.pictureName("opening")
	p.after[name] = svg
	return p.image(name, d.Arguments[0]), w.err()
}
