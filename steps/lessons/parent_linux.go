package lessons

import "syscall"

// dieWithParent has a node end when this process dies, however it dies.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGTERM }
