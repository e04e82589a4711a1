package child

import "syscall"

// endWithParent requests SIGTERM, because PostgreSQL then also ends its own children.
func endWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGTERM }
