package history

import (
	"strings"
	"testing"
)

func TestIdentityIgnoresWhatIsNotPartOfAJSONValue(t *testing.T) {
	for _, texts := range [][]string{
		{`{"n":4,"at":[1.50,{"z":1,"a":2}]}`, `{"at":[1.50,{"a":2,"z":1}],"n":4}`, "{ \"n\": 4,\n\"at\": [1.50, {\"z\":1, \"a\":2}] }"},
		{`[{"b":"가","a":"\u0000"}]`, `[{"a":"\u0000","b":"\uac00"}]`},
		{`{"id":9007199254740993,"a":1}`, `{"a":1,"id":9007199254740993}`},
	} {
		for _, text := range texts {
			if got, want := Identity(text), Identity(texts[0]); got != want || Identity(got) != got || !Same(text, texts[0]) {
				t.Errorf("%s is %s, want %s", text, got, want)
			}
		}
	}
}

func TestIdentityKeepsEveryOtherChange(t *testing.T) {
	for _, pair := range [][2]string{
		{"text", "Text"},
		{`{"a":1,"b":2}`, `{"a":1,"b":3}`},
		{`{"a":1,"b":2}`, `{"a":1}`},
		{`{"a":[1,2]}`, `{"a":[2,1]}`},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`},
		{`{"a":1.0}`, `{"a":1}`},
		{`{"a":1}`, `{"a":"1"}`},
		{`{"a":1,"a":2}`, `{"a":2}`}, // a parser drops one of the two
		{`{"a":1,"a":2}`, `{"a":2,"a":1}`},
		{`{"a":"cafe\u0301"}`, `{"a":"caf\u00e9"}`}, // Unicode is not normalised
		{`{"a":"\ud800"}`, `{"a":"\ufffd"}`},
		{"{\"a\":\"\xff\"}", `{"a":"\ufffd"}`},
		{`{"a":1} `, `{"a":1}`}, // trimmed
		{`{"b":1,"a":2} {}`, `{"a":2,"b":1} {}`},
		{`{"a":1,"b":"` + strings.Repeat("x", maxValue) + `"}`, `{"b":"` + strings.Repeat("x", maxValue) + `","a":1}`}, // too long
		{"", "text"},
		{`{no object}`, `{no  object}`},
		{strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), strings.Repeat("[", 20_000) + " " + strings.Repeat("]", 20_000)},
	} {
		if Identity(pair[0]) == Identity(pair[1]) || Same(pair[0], pair[1]) {
			t.Errorf("%.60q and %.60q are one message", pair[0], pair[1])
		}
	}
}
