package plan

import "fmt"

// ValidateEnd returns the first reason why a run of the plan cannot end in a calm
// state, as one line. It requires more than [Plan.Validate]: a page is open before it
// sends, a fault hits something that exists, and at the end every fault is healed or
// heals by itself, the server runs and has its database, and every open page can be
// connected.
//
// It reads the script without a clock: a fault that waits for a frame, or ends after a
// time, may do so at any moment and is assumed not to prevent a later step.
func (p Plan) ValidateEnd() error {
	if err := p.Validate(); err != nil {
		return err
	}
	p = p.WithFaultIDs()
	s := stage{serverUp: true, down: map[string]Action{}, people: map[string]*presence{}, faults: map[string]bool{}}
	for _, c := range p.Clients {
		s.people[c.Name] = &presence{name: c.Name}
	}
	for _, f := range p.Faults {
		s.arm(f)
	}
	for i, step := range p.Script {
		if err := s.play(step); err != nil {
			return fmt.Errorf("plan: step %d: %w", i+1, err)
		}
	}
	if err := s.ended(p.Clients); err != nil {
		return fmt.Errorf("plan: at the end %w", err)
	}
	return nil
}

// stage is the state between two steps of a script.
type stage struct {
	serverUp bool
	locked   bool // the database
	// down has the parts of a cluster that do not run, with the action that ended them. The
	// other parts are assumed to run, so a client can always connect.
	down   map[string]Action
	people map[string]*presence
	faults map[string]bool // the IDs of the faults armed or injected so far
}

// presence is the state of one client.
type presence struct {
	name     string
	open     bool
	sending  bool
	left     bool // by its own Disconnect step
	out      bool // an Outage is on until Heal
	silent   bool // a Silence is on until Heal
	unhealed bool // a fault that needs a Heal is active, or may become so
	heals    bool // a fault that heals by itself may be active
}

// play performs one step, or returns why it is impossible.
func (s *stage) play(step Step) error {
	switch step.Do {
	case StopServer, KillServer, StartServer, PauseServer, ContinueServer:
		return s.turnServer(step)
	case Move:
		return nil
	case LockDatabase, UnlockDatabase, ReplaceData:
		return s.touchData(step.Do)
	case Arm:
		s.arm(*step.Fault)
		return nil
	case Break:
		s.faults[step.Fault.ID] = true
		return s.inject(*step.Fault)
	case AwaitFault:
		if !s.faults[step.Text] {
			return fmt.Errorf("waits for the fault %q, which is not there", step.Text)
		}
		return nil
	case Wait, Barrier:
		return nil
	}
	if step.Client == "" {
		return s.awaitEveryone(step.Do)
	}
	return s.act(step, s.people[step.Client])
}

func (s *stage) turnServer(step Step) error {
	before, isDown := s.down[step.Node]
	up := step.Do == StartServer || step.Do == ContinueServer
	switch {
	case up != isDown:
		return fmt.Errorf("%s, and it is so already", step.Do)
	case up && (step.Do == ContinueServer) != (before == PauseServer):
		return fmt.Errorf("%s after %s", step.Do, before)
	}
	if delete(s.down, step.Node); !up {
		s.down[step.Node] = step.Do
	}
	_, isDown = s.down[""]
	s.serverUp = !isDown
	return nil
}

func (s *stage) touchData(do Action) error {
	switch {
	case do == ReplaceData && s.serverUp:
		return fmt.Errorf("%s while the server is up", do)
	case do == ReplaceData:
		return nil
	case s.locked == (do == LockDatabase):
		return fmt.Errorf("%s, and it is so already", do)
	}
	s.locked = !s.locked
	return nil
}

func (s *stage) awaitEveryone(do Action) error {
	for _, c := range s.people {
		if do == AwaitConnected && c.open && !s.reaches(c) {
			return fmt.Errorf("waits for everyone to be connected, which not everyone can be")
		}
	}
	return nil
}

// reaches reports whether the client can connect to the server.
func (s *stage) reaches(c *presence) bool {
	return s.serverUp && !c.out && !c.silent && !c.left
}

// act performs a step of one client.
func (s *stage) act(step Step, c *presence) error {
	switch {
	case step.Do == Open && c.open:
		return fmt.Errorf("opens the page of %q, which is open", c.name)
	case step.Do != Open && !c.open:
		return fmt.Errorf("%s by %q, whose page is not open", step.Do, c.name)
	case step.Do == StopSending && !c.sending:
		return fmt.Errorf("%s by %q, which does not send in the background", step.Do, c.name)
	case step.Do != StopSending && c.sending && (step.Do == StartSending || step.Do == Refresh || step.Do == Close):
		return fmt.Errorf("%s by %q, which still sends in the background", step.Do, c.name)
	}
	switch step.Do {
	case Open, Refresh:
		c.open, c.left = true, false
		if !s.reaches(c) {
			return fmt.Errorf("%s by %q, who cannot reach the server", step.Do, c.name)
		}
	case AwaitConnected:
		if !s.reaches(c) {
			return fmt.Errorf("waits for %q to be connected, who cannot be", c.name)
		}
	case Close:
		c.open = false
	case StartSending, StopSending:
		c.sending = step.Do == StartSending
	case Disconnect, Connect:
		c.left = step.Do == Disconnect
	}
	return nil
}

// arm notes a fault that may fire from now on.
func (s *stage) arm(f Fault) {
	s.faults[f.ID] = true
	if c := s.people[f.Client]; f.Kind.Lasts() {
		c.unhealed = c.unhealed || f.For == 0
		c.heals = c.heals || f.For > 0
	}
}

// inject performs a Break, or returns why there is nothing to break.
func (s *stage) inject(f Fault) error {
	c := s.people[f.Client]
	row, _ := f.Kind.row()
	switch {
	case row.where == onServer:
		if !s.serverUp {
			return fmt.Errorf("%s of a server that is not up", f.Kind)
		}
	case row.where == onPage:
		return s.act(Step{Do: Refresh, Client: f.Client}, c)
	case row.ends:
		if !c.open || c.out || c.left || !s.serverUp {
			return fmt.Errorf("%s of the link of %q, who has no connection", f.Kind, f.Client)
		}
	case f.Kind == Heal:
		if !c.unhealed && !c.heals {
			return fmt.Errorf("heal on the link of %q, where nothing is broken", f.Client)
		}
		c.unhealed, c.heals, c.out, c.silent = false, false, false, false
	default:
		s.arm(f)
		c.out = f.For == 0 && f.Kind == Outage || c.out && f.Kind != Outage
		c.silent = f.For == 0 && f.Kind == Silence || c.silent && f.Kind != Silence
	}
	return nil
}

func (s *stage) ended(clients []Client) error {
	if !s.serverUp {
		return fmt.Errorf("the server is not up")
	}
	for node, done := range s.down {
		if done == PauseServer {
			return fmt.Errorf("the server %s is paused", name(node))
		}
	}
	for _, client := range clients {
		switch c := s.people[client.Name]; {
		case c.unhealed:
			return fmt.Errorf("the link of %q is not healed", c.name)
		case c.open && c.left:
			return fmt.Errorf("%q stays disconnected", c.name)
		}
	}
	return nil
}
