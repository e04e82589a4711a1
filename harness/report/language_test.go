package report

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

var verb = regexp.MustCompile(`%(\[\d\])?([sd])`)

// A drawing must not lose a word, or an argument of one, in another language.
func TestLanguagesSayTheSame(t *testing.T) {
	for _, l := range Languages {
		for key, english := range drawingWords[English] {
			text, ok := drawingWords[l][key]
			if !ok || text == "" {
				t.Errorf("%s has no word for %q", l, key)
				continue
			}
			var arguments []any
			for n, v := range verb.FindAllStringSubmatch(english, -1) {
				if v[2] == "d" {
					arguments = append(arguments, 1000+n)
				} else {
					arguments = append(arguments, fmt.Sprint("argument", n))
				}
			}
			said := l.Word(key, arguments...)
			for _, a := range arguments {
				if strings.Count(said, fmt.Sprint(a)) != 1 {
					t.Errorf("%s: %q does not say %v: %q", l, key, a, said)
				}
			}
			if strings.Contains(said, "%!") {
				t.Errorf("%s: %q: %s", l, key, said)
			}
			isSame := map[string]bool{"packet http": true, "packet ping": true, "packet pong": true, "offence": true}
			if l == Korean && !isSame[key] && !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) {
				t.Errorf("%q is not Korean: %q", key, text)
			}
		}
		if n := len(drawingWords[l]); n != len(drawingWords[English]) {
			t.Errorf("%s has %d words, English %d", l, n, len(drawingWords[English]))
		}
	}
}

// A missing word shows only as its key in the drawing, so the test asks for every key, and for
// the sentence of every rule of the contract.
func TestEverythingDrawnHasAWord(t *testing.T) {
	need := func(key string) {
		if drawingWords[English][key] == "" {
			t.Errorf("there is no word for %q", key)
		}
	}
	for _, a := range anomalies {
		need("anomaly " + string(a))
	}
	for _, kind := range history.Kinds {
		if importance(history.Event{Kind: kind}) >= 0 {
			need("event " + string(kind))
		}
	}
	for _, kind := range plan.FaultKinds {
		need("fault " + string(kind))
	}
	for _, s := range legendSigns {
		if drawingWords[English]["key "+s.key] == "" {
			need(s.key)
		}
	}
	for _, r := range contract.Rules {
		if English.Rule(r.ID) != r.Sentence || Korean.Rule(r.ID) == r.Sentence {
			t.Errorf("rule %s is not in both languages", r.ID)
		}
	}
	if Korean.Anomaly(check.Lost) != "유실" || Language("xx").Anomaly(check.Lost) != "lost" {
		t.Error("a language that there is none of is not English")
	}
}

func TestLegendExplainsEverySign(t *testing.T) {
	for _, l := range Languages {
		for _, width := range []int{370, 1040} {
			svg := Legend(l, width)
			wellFormed(t, svg)
			for _, s := range legendSigns {
				if !strings.Contains(svg, ">"+escaped(s.word(l))+"<") {
					t.Errorf("%s: the legend does not explain %s", l, s.key)
				}
			}
		}
	}
}
