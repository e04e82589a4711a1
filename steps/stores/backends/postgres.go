package backends

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// pingPostgres runs a query, because PostgreSQL accepts connections before it is ready.
func (s *Server) pingPostgres(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

// An identity is the user that a program runs as; nil is the user of this process.
type identity struct{ user, group uint32 }

// unprivileged returns the user that PostgreSQL has to run as, and makes it own the folder.
func unprivileged(folder string) (*identity, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root, and there is no user postgres to run it as: %w", err)
	}
	who, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	group, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	owner := &identity{uint32(who), uint32(group)}
	return owner, owner.own(folder)
}

func (i *identity) own(path string) error {
	if i == nil {
		return nil
	}
	return os.Chown(path, int(i.user), int(i.group))
}

func (i *identity) attributes() *syscall.SysProcAttr {
	if i == nil {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: i.user, Gid: i.group}}
}
