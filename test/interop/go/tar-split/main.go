// Takes archives apart and puts them together with upstream's own library, for the tests that compare it with ours.
//
//	tar-split disasm [-payloads DIR] [-plain] ARCHIVE METADATA
//	tar-split asm METADATA DIR ARCHIVE
package main

import (
	"compress/gzip"
	"flag"
	"hash/crc64"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/vbatts/tar-split/tar/asm"
	"github.com/vbatts/tar-split/tar/storage"
)

// directory keeps each payload as a file of its name.
type directory struct {
	root   string
	buffer []byte
}

func (d directory) Put(name string, input io.Reader) (int64, []byte, error) {
	path := filepath.Join(d.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, nil, err
	}
	file, err := os.Create(path)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	sum := crc64.New(storage.CRCTable)
	size, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(file, sum)}, struct{ io.Reader }{input}, d.buffer)
	return size, sum.Sum(nil), err
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func disassemble(archive, metadata, payloads string, plain bool) {
	input, err := os.Open(archive)
	check(err)
	defer input.Close()
	output, err := os.Create(metadata)
	check(err)
	defer output.Close()
	var lines io.Writer = output
	if !plain {
		zipper := gzip.NewWriter(output)
		defer func() { check(zipper.Close()) }()
		lines = zipper
	}
	var putter storage.FilePutter
	if payloads != "" {
		putter = directory{payloads, make([]byte, 64*1024)}
	}
	passing, err := asm.NewInputTarStream(input, storage.NewJSONPacker(lines), putter)
	check(err)
	_, err = io.Copy(io.Discard, passing)
	check(err)
}

func assemble(metadata, payloads, archive string) {
	input, err := os.Open(metadata)
	check(err)
	defer input.Close()
	lines, err := gzip.NewReader(input)
	check(err)
	output, err := os.Create(archive)
	check(err)
	_, err = io.Copy(output, asm.NewOutputTarStream(storage.NewPathFileGetter(payloads), storage.NewJSONUnpacker(lines)))
	check(err)
	check(output.Close())
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("disasm or asm")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	payloads := flags.String("payloads", "", "where the payloads go, under their names; nowhere by default")
	plain := flags.Bool("plain", false, "leaves the metadata uncompressed")
	check(flags.Parse(os.Args[2:]))
	switch words := flags.Args(); {
	case os.Args[1] == "disasm" && len(words) == 2:
		disassemble(words[0], words[1], *payloads, *plain)
	case os.Args[1] == "asm" && len(words) == 3:
		assemble(words[0], words[1], words[2])
	default:
		log.Fatal("disasm [-payloads DIR] [-plain] ARCHIVE METADATA, or asm METADATA DIR ARCHIVE")
	}
}
