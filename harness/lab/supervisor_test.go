package lab

import (
	"errors"
	"slices"
	"testing"
)

// When the script and a fault act on a server at the same time, the script's state wins.
func TestSupervisor(t *testing.T) {
	var did []string
	do := func(what string) func() error {
		return func() error { did = append(did, what); return nil }
	}
	p := newSupervisor()
	interrupt := func() { _, _ = p.interrupt(do("interrupt")) }
	for _, c := range []struct {
		name string
		act  func()
		want []string
	}{
		{"a fault alone", func() { interrupt(); _ = p.resume(do("resume")) }, []string{"interrupt", "resume"}},
		{"two faults", func() { interrupt(); interrupt(); _ = p.resume(do("resume")); _ = p.resume(do("resume")) }, []string{"interrupt", "resume"}},
		{"a fault while the script keeps it down", func() { _ = p.end(do("end")); interrupt(); _ = p.start(do("start")) }, []string{"end", "start"}},
		{"the script ends it between", func() { interrupt(); _ = p.end(do("end")); _ = p.resume(do("resume")); _ = p.start(do("start")) }, []string{"interrupt", "end", "start"}},
		{"the script starts it between", func() { interrupt(); _ = p.start(do("start")); _ = p.resume(do("resume")) }, []string{"interrupt", "start"}},
		{"a start that fails", func() {
			interrupt()
			_ = p.resume(func() error { return errors.New("no") })
			interrupt()
			_ = p.start(do("start"))
		}, []string{"interrupt", "start"}},
		{"a fault while another one ends it", func() {
			_, _ = p.interrupt(func() error { interrupt(); return do("interrupt")() })
			_ = p.resume(do("resume"))
		}, []string{"interrupt", "resume"}},
		{"a fault while the server is being started", func() {
			interrupt()
			interrupted := make(chan struct{})
			_ = p.resume(func() error {
				go func() { defer close(interrupted); interrupt() }()
				return do("resume")()
			})
			<-interrupted
			_ = p.resume(do("resume"))
		}, []string{"interrupt", "resume", "interrupt", "resume"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.set(true, false)
			did = nil
			c.act()
			if !slices.Equal(did, c.want) {
				t.Errorf("did %v, want %v", did, c.want)
			}
		})
	}
}
