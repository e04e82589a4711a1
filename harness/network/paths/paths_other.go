//go:build !linux

package paths

// Namespace can be made on Linux only: see Available.
type Namespace struct{}

// Available returns ErrUnavailable.
func Available() error { return ErrUnavailable }

// New returns ErrUnavailable.
func New() (*Namespace, error) { return nil, ErrUnavailable }

func (n *Namespace) Address() string { return "" }

func (n *Namespace) Source() string { return "" }

func (n *Namespace) Command() []string { return nil }

func (n *Namespace) Next() string { return "" }

func (n *Namespace) Switch() error { return ErrUnavailable }

func (n *Namespace) Close() error { return nil }
