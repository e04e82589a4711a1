package servers

import (
	"os"
	"strconv"
	"time"

	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/plan"
	"redial/scenarios/catalogue"
	"redial/scenarios/inprocess"
)

// brokenPrefix precedes a defect's name in the argument that makes a process the defective
// server.
const brokenPrefix = "broken:"

// shownByBroken suffices in the real lab. A longer wait is useless, because a broken
// server's missing messages never arrive.
const shownByBroken = 6 * time.Second

// Broken makes a server with a deliberate defect, or a correct server with a defective page.
func Broken(d defect.Defect) (Server, error) {
	s, err := foreign(d.Name, d.Level)
	if err != nil {
		return s, err
	}
	its, err := inprocess.Broken(d.Name, d)
	if err != nil {
		return s, err
	}
	server := brokenPrefix + d.Name
	if d.New == nil {
		server = d.Step
	}
	s.Server.Handler, s.HTML, s.OwnRecovery, s.ShownBound = its.Handler, its.HTML, its.OwnRecovery, shownByBroken
	s.Server.Target = itsProcess(server, d.Name)
	if d.Cluster {
		s.Nodes, s.Server.Handler, s.Server.Target = nodes, nil, itsProcesses(server, d.Name, nothingShared)
	}
	row, err := catalogue.Find([]string{d.Scenario})
	if err == nil && row[0].Needs != "" {
		s.Step = catalogue.FeaturesPublished
	}
	return s, err
}

const rightTogether = "right-together"

// RightTogether returns two servers without a defect that share a log, for the real lab.
func RightTogether() (Server, error) {
	s, err := foreign(rightTogether, contract.ClientDelivery)
	s.Nodes, s.Server.Target = nodes, itsProcesses(rightTogether, rightTogether, nothingShared)
	return s, err
}

// asked returns the tuning in this process's environment.
func asked() plan.Tuning {
	milliseconds := func(name string) plan.Duration {
		n, _ := strconv.Atoi(os.Getenv(name)) // a value that is not a number leaves the default
		return plan.Duration(time.Duration(n) * time.Millisecond)
	}
	return plan.Tuning{
		PingInterval: milliseconds(contract.EnvPingInterval), PingTimeout: milliseconds(contract.EnvPingTimeout),
		MaxDisconnection: milliseconds(contract.EnvMaxDisconnection),
	}
}
