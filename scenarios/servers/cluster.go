package servers

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/inprocess"
	"redial/steps/lessons"
	"redial/steps/stores/backends"
)

// nodes are the names of a cluster's servers, also in plans.
var nodes = []string{"a", "b"}

// clusterStep returns step 9, which is two processes.
func clusterStep(number string) (Server, error) {
	lesson, err := lessons.Find("9")
	if err != nil {
		return Server{}, err
	}
	s := Server{
		Name: "step " + number, Step: number, Nodes: nodes, Server: lab.Server{Handler: inprocess.Lesson(lesson)},
		Config: lab.Config{Level: contract.ClientDelivery, Bundle: lessons.FetchBundle, OwnRecovery: true},
	}
	share := nothingShared
	if number == catalogue.OnPostgres {
		share = postgresAndRedis
	}
	s.Server.Target = itsProcesses(lesson.Number, s.Name, share)
	return s, nil
}

// itsProcesses returns a target that runs this program several times as the named server.
// share starts what they share besides the data folder.
func itsProcesses(server, name string, share func(*target.ClusterOptions) error) func(plan.Tuning) (target.Target, error) {
	return func(tuning plan.Tuning) (target.Target, error) {
		command, err := itself(server, name, tuning)
		if err != nil {
			return nil, err
		}
		options := target.ClusterOptions{Nodes: nodes, Command: command}
		if err := share(&options); err != nil {
			return nil, err
		}
		return target.NewCluster(options)
	}
}

func nothingShared(*target.ClusterOptions) error { return nil }

// postgresAndRedis starts the shared backends of a cluster, and a separate relay from each
// server to each backend, which a plan can break: a-to-postgres, b-to-redis.
func postgresAndRedis(options *target.ClusterOptions) error {
	ctx := context.Background()
	var started []interface{ Close() error }
	options.Release = func() (err error) {
		for _, one := range slices.Backward(started) {
			err = errors.Join(err, one.Close())
		}
		return err
	}
	fail := func(err error) error { return errors.Join(err, options.Release()) }
	postgres, err := backends.StartPostgres(ctx)
	if err != nil {
		return fail(err)
	}
	started = append(started, postgres)
	redis, err := backends.StartRedis(ctx)
	if err != nil {
		return fail(err)
	}
	started = append(started, redis)
	options.Shared = map[string]target.Part{"postgres": backend{postgres}, "redis": backend{redis}}
	environment := map[string][]string{}
	for _, node := range options.Nodes {
		environment[node] = []string{"BACKEND=postgres"}
		for name, to := range map[string]*backends.Server{"postgres": postgres, "redis": redis} {
			way, err := newRelay(to.Address)
			if err != nil {
				return fail(err)
			}
			started = append(started, way)
			options.Shared[node+"-to-"+name] = way
			address, err := url.Parse(to.URL)
			if err != nil {
				return fail(err)
			}
			address.Host = way.link.Address()
			variable := map[string]string{"postgres": "DATABASE_URL", "redis": "REDIS_URL"}[name]
			environment[node] = append(environment[node], variable+"="+address.String())
		}
	}
	options.Env = func(node string) []string { return environment[node] }
	return nil
}

// backend is a server of package backends as a part of a cluster.
type backend struct{ *backends.Server }

// Stop needs no context, because the backend limits its own time to stop.
func (b backend) Stop(context.Context) error { return b.Server.Stop() }

// Spread assigns the clients to the servers in turn, if the plan names no servers.
func (s Server) Spread(p plan.Plan) plan.Plan {
	if len(s.Nodes) == 0 || slices.ContainsFunc(p.Clients, func(c plan.Client) bool { return c.Node != "" }) {
		return p
	}
	p.Clients = slices.Clone(p.Clients)
	for i := range p.Clients {
		p.Clients[i].Node = s.Nodes[i%len(s.Nodes)]
	}
	return p
}
