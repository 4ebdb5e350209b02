package password

import "golang.org/x/sys/unix"

// inHugePages has memory come in huge pages, of which the processor has to look
// up fewer: a hash reads here and there. Where the system has none, it takes a
// tenth longer.
func inHugePages(memory []byte) { _ = unix.Madvise(memory, unix.MADV_HUGEPAGE) }
