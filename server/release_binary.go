package server

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Of a small budget the pages of the binary are a good part: the system maps sixteen
// around each that is touched, and those that only the start needed stay for ever. Given
// back each second they cost some hundred page faults, below a millisecond, which find them in
// the system's cache: a few seconds after the last time two thirds of them are back.
const (
	smallBudget        = 256 << 20
	releaseBinaryTicks = 10 // a second
)

// releaseBinary gives the pages of the binary's code and constants back to the system.
// It does nothing where the process may have changed them since they were read, as a
// dynamic linker does. A failure only means that they stay resident.
func releaseBinary() {
	page := uint64(os.Getpagesize())
	for _, p := range ownConstantParts() {
		from, to := p.Vaddr/page*page, (p.Vaddr+p.Filesz)/page*page
		if to > from {
			// Raw: it cannot block, and the addresses are not those of Go's memory.
			_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED)
		}
	}
}

var ownConstantParts = sync.OnceValue(func() []elf.Prog64 {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil
	}
	defer f.Close()
	return constantParts(f)
})

// constantParts returns the parts of a binary that are mapped from it at fixed
// addresses and are never written; none if it is of another kind.
func constantParts(f io.ReaderAt) (parts []elf.Prog64) {
	var h elf.Header64
	if binary.Read(io.NewSectionReader(f, 0, 64), binary.LittleEndian, &h) != nil {
		return nil
	}
	if string(h.Ident[:4]) != elf.ELFMAG || elf.Class(h.Ident[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(h.Ident[elf.EI_DATA]) != elf.ELFDATA2LSB ||
		elf.Type(h.Type) != elf.ET_EXEC {
		return nil
	}
	programs := make([]elf.Prog64, h.Phnum)
	if binary.Read(io.NewSectionReader(f, int64(h.Phoff), int64(h.Phnum)*int64(h.Phentsize)), binary.LittleEndian, programs) != nil {
		return nil
	}
	for _, p := range programs {
		switch {
		case elf.ProgType(p.Type) == elf.PT_INTERP || elf.ProgType(p.Type) == elf.PT_GNU_RELRO:
			return nil
		case elf.ProgType(p.Type) == elf.PT_LOAD && elf.ProgFlag(p.Flags)&elf.PF_W == 0:
			parts = append(parts, p)
		}
	}
	return parts
}
