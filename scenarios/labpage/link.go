package labpage

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"redial/harness/plan"
)

// A Document is the content of a shared link: a step, and the plan with its seed.
type Document struct {
	Step string    `json:"step"`
	Plan plan.Plan `json:"plan"`
}

// fragmentKey precedes the document in the fragment of a link.
const fragmentKey = "plan="

// Fragment encodes the document for a link: JSON, deflated, in base64url. The document is in
// the fragment, because a browser does not send it to the server.
func (d Document) Fragment() (string, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err = w.Write(text); err == nil {
		err = w.Close()
	}
	return fragmentKey + base64.RawURLEncoding.EncodeToString(packed.Bytes()), err
}

// ParseLink reads the document from a link, or from its fragment alone.
func ParseLink(link string) (d Document, err error) {
	_, fragment, found := strings.Cut(link, "#")
	if !found {
		fragment = link
	}
	packed, found := strings.CutPrefix(fragment, fragmentKey)
	if !found {
		return d, errors.New("this link shares no plan: one of the lab page ends with #" + fragmentKey + "…")
	}
	if len(packed) > mostPlan {
		return d, fmt.Errorf("the link has %d KB; there is room for %d", len(packed)>>10, mostPlan>>10)
	}
	broken := func(err error) (Document, error) {
		return Document{}, fmt.Errorf("this link is not whole: %w", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(packed)
	if err != nil {
		return broken(err)
	}
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw)), mostPlan+1))
	if err != nil {
		return broken(err)
	}
	if len(text) > mostPlan {
		return d, fmt.Errorf("the plan of the link has more than %d KB", mostPlan>>10)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return broken(err)
	}
	return d, nil
}

// Test returns a Go test of the document, which passes if the step keeps its promise.
func (d Document) Test() (string, error) {
	text, err := json.MarshalIndent(d.Plan, "\t", "  ")
	if err != nil {
		return "", err
	}
	// A backquote ends a raw string literal, which has no escapes.
	literal := strings.ReplaceAll(string(text), "`", "` + \"`\" + `")
	return fmt.Sprintf(testTemplate, "`"+literal+"`", d.Step), nil
}

const testTemplate = `package labpage_test

import (
	"encoding/json"
	"testing"

	"redial/harness/check"
	"redial/scenarios/labpage"
)

func TestFoundInTheLab(t *testing.T) {
	p := json.RawMessage(%s)
	run := labpage.Play(t.Context(), labpage.Request{Step: %q, Plan: p})
	if run.Error != "" || run.Beyond.Outcome != check.Pass {
		t.Errorf("%%s%%s %%s", run.Error, run.Outcome, run.Beyond.Reason)
	}
}
`
