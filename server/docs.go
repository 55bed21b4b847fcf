package server

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"cobble/server/command"
	"cobble/server/config"
)

// Docs writes commands.md and config.md, generated from the tables, into the
// directory that args names, and returns the exit code.
func Docs(args []string, _, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: cobble docs DIRECTORY")
		return 2
	}
	for name, write := range map[string]func(io.Writer) error{
		"commands.md": command.NewTable().WriteDocs, "config.md": config.WriteDocs,
	} {
		if err := writeDoc(filepath.Join(args[0], name), write); err != nil {
			fmt.Fprintf(stderr, "cobble docs: %v\n", err)
			return 1
		}
	}
	return 0
}

func writeDoc(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
