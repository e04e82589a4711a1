package doctor

import (
	"reflect"
	"strings"
	"testing"

	"redial/scenarios/config"
)

func TestFormIsReadFromAPage(t *testing.T) {
	for name, c := range map[string]struct {
		page string
		want *Form
	}{
		"the tutorial's": {
			`<ul id="messages"></ul><form id="form"><input id="input"><button>Send</button></form>`,
			&Form{Input: "#input", Submit: "#form button", Messages: "#messages li"},
		},
		"a login first, and no form": {
			`<ul class="pages"><li><ul class="messages"></ul><input class="inputMessage"></li>
			<li><input class="usernameInput" type="text"><input type="password" class="secret"></li></ul>`,
			&Form{Names: []string{".usernameInput"}, Input: ".inputMessage", Messages: ".messages li"},
		},
		"a list that is none": {
			`<div id="chat-log"></div><form><textarea name="body"></textarea><button type="button" id="emoji"></button><button class="go">Go</button></form>`,
			&Form{Input: "textarea[name=body]", Submit: "form button", Messages: "#chat-log > *"},
		},
		"no list":           {`<input id="input">`, nil},
		"no input":          {`<ul id="messages"></ul>`, nil},
		"two nameless ones": {`<input><input><ul></ul>`, nil},
		"a search only":     {`<ul id="messages"></ul><input name="search">`, nil},
	} {
		if got := readForm(c.page); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// Names in a page are arbitrary text, and the draft must remain a valid redial.yaml.
func TestDraftWithAFormIsARedialYAML(t *testing.T) {
	for _, form := range []*Form{
		{Input: "#input", Submit: "#form button", Messages: "#messages li"},
		{Names: []string{".name", `input[name=a]`}, Input: ".text", Messages: "#log > *"},
	} {
		d := Draft{URL: "http://127.0.0.1:3000", Form: form}
		d.SetMessage("m", "basic")
		d.Set(KeyLevel, "basic")
		d.Set(KeyEcho, "false")
		f, err := config.Parse(d.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, d.YAML())
		}
		if f.Page == nil || f.Page.Input != form.Input || f.Page.Submit != form.Submit || f.Page.Messages != form.Messages || len(f.Page.Enter) > 0 != (len(form.Names) > 0) || f.Page.Echo == nil || *f.Page.Echo {
			t.Errorf("the page is %+v of\n%s", f.Page, d.YAML())
		}
	}
	if text := string((&Draft{URL: "http://127.0.0.1:3000"}).YAML()); strings.Contains(text, "\npage:") {
		t.Errorf("a page was drafted from nothing:\n%s", text)
	}
}

func TestDraftOfAServerWithoutAPageWaitsForItsPort(t *testing.T) {
	for _, d := range []Draft{{Line: "node server.js"}, {Line: "node server.js", NoPage: true}, {URL: "http://127.0.0.1:3000", NoPage: true}} {
		d.Set(KeyLevel, "basic")
		f, err := config.Parse(d.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, d.YAML())
		}
		if want := d.NoPage && d.URL == ""; (f.Target.Ready == "port") != want {
			t.Errorf("ready is %q of\n%s", f.Target.Ready, d.YAML())
		}
	}
}
