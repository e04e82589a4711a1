package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios/labpage"
	"redial/scenarios/labwasm"
)

// mostSchedules bounds the search for a schedule with which a failure recurs.
const mostSchedules = 100

// FindSchedule searches the lowest schedule, from 1 on, with which the run breaks the saved
// rule in the lab in Node.js, and stores it in s. If s has a schedule, only that is played. It
// returns the result of the run.
func (s *Saved) FindSchedule(ctx context.Context, node *labwasm.Node) (report.Result, error) {
	first, last := uint64(1), uint64(mostSchedules)
	if s.Schedule != 0 {
		first, last = s.Schedule, s.Schedule
	}
	for schedule := first; schedule <= last; schedule++ {
		result, err := s.playExactly(node, schedule)
		if err = cmp.Or(ctx.Err(), err); err != nil {
			return result, err
		}
		if v := result.Verdict; v.Outcome == s.Verdict.Outcome && v.Rule() == s.Verdict.Rule() {
			s.Schedule = schedule
			return result, nil
		}
		if s.Schedule != 0 {
			return result, fmt.Errorf("%w with schedule %d: it was %s (%s)", ErrOtherVerdict, schedule, s.Verdict.Outcome, s.Verdict.Reason)
		}
	}
	return report.Result{}, fmt.Errorf("none of the schedules 1 to %d comes to the saved verdict: %s", mostSchedules, s.Verdict.Reason)
}

// Exactly plays the run with the schedule that was found, and counts how often its history is
// that of the result, event by event and to the nanosecond.
func (s Saved) Exactly(ctx context.Context, node *labwasm.Node, result report.Result, times int) (same int, err error) {
	for range times {
		again, err := s.playExactly(node, s.Schedule)
		if err = cmp.Or(ctx.Err(), err); err != nil {
			return same, err
		}
		if reflect.DeepEqual(again.Events, result.Events) {
			same++
		}
	}
	return same, nil
}

// playExactly plays the run in the lab in Node.js and judges it by the saved level.
func (s Saved) playExactly(node *labwasm.Node, schedule uint64) (report.Result, error) {
	document, err := json.Marshal(s.Plan)
	if err != nil {
		return report.Result{}, err
	}
	run, err := node.PlayExactly(labpage.Request{Step: strings.TrimPrefix(s.Target, "step "), Plan: document}, schedule)
	if err == nil && run.Error != "" {
		err = errors.New(run.Error)
	}
	if err != nil {
		return report.Result{}, err
	}
	result := report.Result{ID: s.Name, Title: s.Plan.Name(), Column: s.Target, Events: run.Events, Verdict: *run.Verdict}
	if run.Outcome == check.Pass || run.Outcome == check.Fail {
		result.Verdict = check.JudgeAt(s.Verdict.Level, run.Events)
	}
	result.Tally = s.tally(result.Verdict)
	result.Took = time.Duration(run.Took * float64(time.Millisecond))
	return result, nil
}

// Exact returns an error of one line if the failure cannot be played with a fixed schedule.
func (s Saved) Exact() error {
	if s.Lab != lab.Virtual.String() || s.Client != "" {
		return errors.New("only a failure of the virtual lab can be played with a fixed schedule: leave out --exact")
	}
	return nil
}
