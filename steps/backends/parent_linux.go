package backends

import "syscall"

// dieWithParent has the program ended when this process dies, however it dies. SIGTERM
// lets PostgreSQL end its own children.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGTERM }
