package child

import "syscall"

// endWithParent requests SIGTERM, at which PostgreSQL ends its own children too.
func endWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGTERM }
