package picture

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed opening.svg
var opening string

// Opening draws the README's animated picture: a connection is cut, and the message that is
// sent meanwhile is lost at step 5 and arrives at step 7. say returns a text in the reader's
// language. The animation lasts 10 s; the names of its moments (t28) are percentages of
// that.
func Opening(say func(string) string) (string, error) {
	type row struct {
		Y     int
		Title string
		Keeps bool
	}
	words := func(text string) string { return escaped(say(text)) }
	drawn, err := template.New("opening").Funcs(template.FuncMap{
		"say":   words,
		"after": func(moment int) int { return moment + 1 },
		"note": func(x, y, width, number int, moment string) string {
			return fmt.Sprintf(`<g class="message %s"><rect class="note" x="%d" y="%d" width="%d" height="26" rx="6"/><text class="on" x="%d" y="%d">%d</text></g>`,
				moment, x, y, width, x+width/2, y+19, number)
		},
		"dot": func(x, number int, moment string) string {
			return fmt.Sprintf(`<g class="dot %s"><circle class="note" cx="%d" cy="110" r="13"/><text class="on" x="%d" y="116">%d</text></g>`,
				moment, x, x, number)
		},
	}).Parse(opening)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = drawn.Execute(&out, map[string]any{
		"Height": 386,
		"Appear": []int{4, 9, 14, 20, 28, 33, 67, 74, 79, 84, 88},
		"Rows":   []row{{0, "Step 5: broadcasting", false}, {192, "Step 7: server delivery", true}},
	})
	return out.String(), err
}
