package messagelog

import (
	"context"
	"errors"
)

func openPostgres(context.Context, Options) (Log, error) {
	return nil, errors.New("PostgreSQL cannot be reached from WebAssembly")
}
