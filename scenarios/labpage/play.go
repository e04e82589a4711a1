// Package labpage is the lab page: the user edits a plan, and the page plays it again and
// draws its run after each edit.
//
// Read [Play] first, the one function behind the page: it takes a plan and returns all that
// the page shows of its run. Package host serves the page with the native lab;
// scenarios/cmd/labwasm makes a web worker of it. static/ is the page itself, and tour.json
// its guided tour.
//
// Play must not import packages that start processes, so that it can be built for a browser.
package labpage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/inprocess"
	"redial/scenarios/internal/verdict"
)

// A Request is a document, and the part of its run to show.
type Request struct {
	// Step is the server: "5" to "10", "published-6" and whatever [inprocess.Find] knows.
	Step string `json:"step"`
	// Plan is a plan.Plan.
	Plan json.RawMessage `json:"plan"`
	// Link is a shared link that replaces Step and Plan.
	Link string `json:"link,omitempty"`
	// View is the part of the run to draw.
	View View `json:"view"`
	// Shrink requests the smallest plan that breaks the same rule, and a run of that plan.
	Shrink bool `json:"shrink,omitempty"`
}

// A View is the part of a run that is drawn.
type View struct {
	// From and To are in milliseconds. If To is zero, the view ends with the run.
	From     float64         `json:"from"`
	To       float64         `json:"to"`
	Width    int             `json:"width"`
	Scale    report.Scale    `json:"scale,omitempty"`
	Language report.Language `json:"language"`
	// Detail includes the frames.
	Detail bool `json:"detail"`
	// Only requests only the drawing of a plan that was played before.
	Only bool `json:"only,omitempty"`
	// Legend requests only the explanation of the signs.
	Legend bool `json:"legend,omitempty"`
}

func (v View) language() report.Language {
	if slices.Contains(report.Languages, v.Language) {
		return v.Language
	}
	return report.English
}

// A Response holds everything that the page shows of a run. Times are in milliseconds since
// the start of the run.
type Response struct {
	// Error explains, in one line, why nothing was played; all other fields are empty then.
	Error string `json:"error,omitempty"`

	SVG  string `json:"svg"`
	Step string `json:"step,omitempty"`
	// Lab is virtual or real.
	Lab  string     `json:"lab,omitempty"`
	Plan *plan.Plan `json:"plan,omitempty"`
	// Fragment is the document for a link, and Test a Go test of it.
	Fragment string `json:"fragment,omitempty"`
	Test     string `json:"test,omitempty"`
	// Story describes the plan in words, one line for each of its parts.
	Story []string `json:"story,omitempty"`
	// Began holds the start of each step of the script, and the end of the script as the last
	// value.
	Began []float64 `json:"began,omitempty"`
	// Length is the duration of the run.
	Length float64 `json:"length,omitempty"`

	// Level is the promise of the step. Outcome, Reason and Verdict are judged by it.
	Level   contract.Level `json:"level,omitempty"`
	Outcome check.Outcome  `json:"outcome,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	// Problem is the error, in English, that ended a run before its end; Reason is empty then.
	Problem string         `json:"problem,omitempty"`
	Verdict *check.Verdict `json:"verdict,omitempty"`
	// Beyond is judged by the highest level. A loss that is in Beyond but not in Verdict is
	// one that the step does not promise to prevent.
	Beyond *check.Verdict `json:"beyond,omitempty"`
	// Findings are those of both.
	Findings []Finding `json:"findings,omitempty"`

	Events   []history.Event `json:"events,omitempty"`
	Frames   []Frame         `json:"frames,omitempty"`
	Pages    []Page          `json:"pages,omitempty"`
	Log      []LogRow        `json:"log,omitempty"`
	Sessions []Session       `json:"sessions,omitempty"`
	// Keeps is the lifetime of a disconnected session; 0 if the server has no session
	// recovery.
	Keeps float64 `json:"keeps,omitempty"`
	// Took is the duration on the real clock.
	Took float64 `json:"took,omitempty"`
}

// A Finding is a finding of the verdict, or one beyond the promise.
type Finding struct {
	// Promised is set if the finding breaks the promise of the step.
	Promised bool            `json:"promised"`
	Rule     contract.RuleID `json:"rule"`
	Anomaly  check.Anomaly   `json:"anomaly"`
	Sentence string          `json:"sentence"`
	Client   string          `json:"client,omitempty"`
	Message  string          `json:"message,omitempty"`
	Expected string          `json:"expected"`
	Observed string          `json:"observed"`
	// Events are the indices of the events in the finding.
	Events []int   `json:"events,omitempty"`
	At     float64 `json:"at"`
}

// A Frame is a frame that passed a link, with its content.
type Frame struct {
	history.Frame
	Left   float64 `json:"left"`
	At     float64 `json:"at"`
	Packet string  `json:"packet"`
}

// Play plays a document and returns the result.
func Play(ctx context.Context, r Request) Response {
	if r.View.Legend {
		return Response{SVG: report.Legend(r.View.language(), r.View.Width)}
	}
	d, err := read(r)
	if err != nil {
		return Response{Error: oneLine(err)}
	}
	if r.Shrink {
		if d, err = d.shrunk(ctx); err != nil {
			return Response{Error: oneLine(err)}
		}
	}
	return played.of(ctx, d).response(d, r.View)
}

// PlayOn plays a document in a lab other than the virtual one; give returns that lab and the
// server for the step.
func PlayOn(ctx context.Context, r Request, name string, give func(step string) (lab.Lab, lab.Server, lab.Config, error)) Response {
	d, err := read(r)
	if err != nil {
		return Response{Error: oneLine(err)}
	}
	in, server, config, err := give(d.server.Name)
	if err != nil {
		return Response{Error: oneLine(err)}
	}
	config.Traffic = true
	played := run{Run: in.Play(ctx, server, config, d.plan), lab: name}
	played.judge(config.Level)
	return played.response(d, r.View)
}

// A document is a request that was read and validated.
type document struct {
	server inprocess.Server
	plan   plan.Plan
	key    string
}

func read(r Request) (d document, err error) {
	if r.Link != "" {
		shared, err := ParseLink(r.Link)
		if err != nil {
			return d, err
		}
		r.Step = shared.Step
		if r.Plan, err = json.Marshal(shared.Plan); err != nil {
			return d, err
		}
	}
	if len(r.Plan) > mostPlan {
		return d, fmt.Errorf("the plan has %d KB; there is room for %d", len(r.Plan)>>10, mostPlan>>10)
	}
	if len(bytes.TrimSpace(r.Plan)) == 0 {
		return d, errors.New("there is no plan to play")
	}
	if len(r.Step) > 60 {
		return d, errors.New("the name of the step is too long")
	}
	if d.server, err = inprocess.Find(r.Step); err != nil {
		return d, err
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Plan))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d.plan); err != nil {
		return d, fmt.Errorf("not a plan: %w", err)
	}
	if err := d.plan.Validate(); err != nil {
		return d, err
	}
	if err := bounded(d.plan); err != nil {
		return d, err
	}
	return documentOf(d.server, d.plan)
}

// documentOf gives every fault an ID, so that an edit can refer to it. The page therefore
// receives exactly the plan that was played.
func documentOf(server inprocess.Server, p plan.Plan) (document, error) {
	p = p.WithFaultIDs()
	text, err := json.Marshal(p)
	return document{server, p, server.Name + "\x00" + string(text)}, err
}

// A run is the run of a document, kept so that it can be drawn again.
type run struct {
	lab.Run
	lab string
	// verdict is by the step's own level, beyond by the highest level. findings are those of
	// both, for people: see union.
	verdict, beyond check.Verdict
	findings        []check.Finding
}

func (d document) play(ctx context.Context) run {
	config := d.server.Config()
	config.Traffic = true
	// Servers print unexpected errors; the story shows those that matter.
	r := run{Run: lab.Virtual.Play(ctx, lab.Server{Handler: d.server.Handler}, config, d.plan), lab: lab.Virtual.String()}
	r.judge(config.Level)
	return r
}

// judge judges the run by the level and by the highest level.
func (r *run) judge(level contract.Level) {
	r.verdict = verdict.Of(r.Run, level)
	r.beyond = r.verdict
	if r.verdict.Outcome == check.Pass || r.verdict.Outcome == check.Fail {
		r.beyond = check.JudgeAt(contract.DurableDelivery, r.Events)
	}
	r.findings = union(r.verdict.Findings, r.beyond.Findings)
}

// union returns the findings of both levels, each once and in the order of the highest level.
// One that both report is that of the step's own level, whose promise explains it; one that only
// the highest level reports is not a must for the step.
func union(own, beyond []check.Finding) (all []check.Finding) {
	same := func(f check.Finding) func(check.Finding) bool {
		return func(g check.Finding) bool {
			return f.Rule == g.Rule && f.Client == g.Client && f.View == g.View && f.Message == g.Message
		}
	}
	for _, f := range beyond {
		if at := slices.IndexFunc(own, same(f)); at >= 0 {
			f = own[at]
		} else {
			f.Must = false
		}
		all = append(all, f)
	}
	for _, f := range own { // another level may report the same finding under another rule
		if !slices.ContainsFunc(beyond, same(f)) {
			all = append(all, f)
		}
	}
	return all
}

// scene returns the part of the run to draw.
func (r run) scene(d document, v View) report.Scene {
	s := report.Scene{
		Events: r.Events, Findings: r.findings, From: asTime(v.From), To: asTime(v.To),
		Width: v.Width, Scale: v.Scale, Language: v.Language, Keeps: d.keeps(), Traffic: r.Traffic,
	}
	if !v.Detail { // the arrows of messages remain
		s.Traffic.Frames = slices.DeleteFunc(slices.Clone(r.Traffic.Frames), func(f history.Frame) bool {
			return !f.Lost && !slices.Contains([]string{"event", "ack", "binary"}, report.Packet(f))
		})
	}
	return s
}

func (d document) keeps() time.Duration {
	if tuned := time.Duration(d.plan.Tuning.MaxDisconnection); tuned > 0 && d.server.Keeps > 0 {
		return tuned
	}
	return d.server.Keeps
}

func (r run) response(d document, v View) Response {
	v.Language = v.language()
	out := Response{SVG: r.scene(d, v).Draw()}
	if v.Only {
		return out
	}
	whole := r.scene(d, View{Detail: true, Language: v.Language})
	out.Step, out.Plan, out.Lab = d.server.Name, &d.plan, r.lab
	shared := Document{d.server.Name, d.plan}
	out.Fragment, _ = shared.Fragment() // a plan that was parsed can also be encoded
	out.Test, _ = shared.Test()
	out.Story = strings.Split(strings.TrimRight(plan.Story(d.plan), "\n"), "\n")
	for _, at := range r.Began {
		out.Began = append(out.Began, milliseconds(at))
	}
	if n := len(r.Events); n > 0 {
		out.Length = milliseconds(r.Events[n-1].At)
	}
	out.Level, out.Outcome, out.Verdict = r.verdict.Level, r.verdict.Outcome, &r.verdict
	if r.Err != nil {
		out.Problem = oneLine(r.Err)
	} else {
		out.Reason = oneLine(errors.New(v.Language.Reason(r.verdict)))
	}
	out.Beyond = &r.beyond
	for _, f := range r.findings {
		out.Findings = append(out.Findings, r.finding(f, v.Language))
	}
	out.Events = r.Events
	for _, f := range r.Traffic.Frames {
		out.Frames = append(out.Frames, Frame{f, milliseconds(f.Left), milliseconds(f.At), report.Packet(f)})
	}
	out.Pages = pagesOf(d.plan, r.Events)
	for _, row := range whole.Rows() {
		e := r.Events[row.Event]
		if e.Kind == history.Stored && !report.IsBarrier(e.Message) {
			out.Log = append(out.Log, LogRow{milliseconds(row.At), e.Message, e.Offset, row.Event})
		}
	}
	for _, s := range whole.Sessions() {
		out.Sessions = append(out.Sessions, Session{s.Client, milliseconds(s.From), milliseconds(s.To), s.Recovered})
	}
	out.Keeps, out.Took = milliseconds(plan.Duration(d.keeps())), milliseconds(plan.Duration(r.Real))
	return out
}

func (r run) finding(f check.Finding, language report.Language) Finding {
	expected, observed := language.Finding(f)
	told := Finding{
		Rule: f.Rule, Anomaly: f.Anomaly, Promised: f.Must, Sentence: language.Rule(f.Rule), Client: f.Client, Message: f.Message,
		Expected: expected, Observed: observed, Events: f.Named, At: -1,
	}
	if f.Event >= 0 && f.Event < len(r.Events) {
		told.At = milliseconds(r.Events[f.Event].At)
		if !slices.Contains(told.Events, f.Event) {
			told.Events = append(told.Events, f.Event)
		}
	}
	return told
}

func milliseconds(d plan.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func asTime(ms float64) time.Duration {
	return time.Duration(min(max(ms, 0), 1e8) * float64(time.Millisecond))
}

func oneLine(err error) string { return clipped(strings.Join(strings.Fields(err.Error()), " "), 600) }

func clipped(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
