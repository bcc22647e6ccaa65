// Writes and reads zstd:chunked with stargz-snapshotter's own library, for the tests that compare it with ours.
//
//	zstd-chunked build [-lossless] [-chunk BYTES] TAR BLOB
//	zstd-chunked open BLOB DIGEST
//	zstd-chunked headers TAR
//
// build prints the digest of the TOC, the diffID and the annotations. open verifies the TOC against the digest and every chunk against
// the TOC, and prints all entries with the digest of their content. headers prints what Go's archive/tar reads of each header: containers-storage
// compares it with the TOC.
package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path"
	"strings"
	"time"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/containerd/stargz-snapshotter/estargz/zstdchunked"
	"github.com/klauspost/compress/zstd"
	digest "github.com/opencontainers/go-digest"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func build(input, output string, chunkSize int, lossless bool) {
	tar, err := os.Open(input)
	check(err)
	defer tar.Close()
	blob, err := os.Create(output)
	check(err)
	metadata := map[string]string{}
	writer := estargz.NewWriterWithCompressor(blob, &zstdchunked.Compressor{CompressionLevel: zstd.SpeedDefault, Metadata: metadata})
	writer.ChunkSize = chunkSize
	if lossless {
		err = writer.AppendTarLossLess(tar)
	} else {
		err = writer.AppendTar(tar)
	}
	check(err)
	tocDigest, err := writer.Close()
	check(err)
	check(blob.Close())
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"tocDigest": tocDigest, "diffID": writer.DiffID(), "annotations": metadata}))
}

type found struct {
	Path    string `json:"path"`
	Type    string `json:"type"`
	Size    int64  `json:"size"`
	Mode    int64  `json:"mode"`
	Link    string `json:"link"`
	Content string `json:"content"`
	Chunks  int    `json:"chunks"`
}

func open(name, tocDigest string) {
	file, err := os.Open(name)
	check(err)
	stat, err := file.Stat()
	check(err)
	reader, err := estargz.Open(io.NewSectionReader(file, 0, stat.Size()), estargz.WithDecompressors(new(zstdchunked.Decompressor)))
	check(err)
	verifier, err := reader.VerifyTOC(digest.Digest(tocDigest))
	check(err)
	root, ok := reader.Lookup("")
	if !ok {
		log.Fatal("there is no root")
	}
	entries := []found{}
	var walk func(entry *estargz.TOCEntry, at string)
	walk = func(entry *estargz.TOCEntry, at string) {
		entry.ForeachChild(func(base string, child *estargz.TOCEntry) bool {
			name := path.Join(at, base)
			one := found{Path: name, Type: child.Type, Size: child.Size, Mode: child.Mode & 0o7777, Link: child.LinkName}
			if child.Type == "reg" {
				// A hardlink is the file that it leads to, whose name alone has the chunks.
				one.Content, one.Chunks = content(reader, verifier, child.Name, child.Size)
			}
			entries = append(entries, one)
			walk(child, name)
			return true
		})
	}
	walk(root, "")
	check(json.NewEncoder(os.Stdout).Encode(entries))
}

// content reads a file chunk by chunk, each verified.
func content(reader *estargz.Reader, verifier estargz.TOCEntryVerifier, name string, size int64) (string, int) {
	file, err := reader.OpenFile(name)
	check(err)
	sum := sha256.New()
	chunks := 0
	for offset := int64(0); offset < size; chunks++ {
		chunk, ok := reader.ChunkEntryForOffset(name, offset)
		if !ok {
			log.Fatalf("%s has no chunk at %d", name, offset)
		}
		of, err := verifier.Verifier(chunk)
		check(err)
		length, err := io.Copy(io.MultiWriter(sum, of), io.NewSectionReader(file, chunk.ChunkOffset, chunk.ChunkSize))
		check(err)
		if length == 0 || !of.Verified() {
			log.Fatalf("the chunk at %d of %s is not what the TOC says", offset, name)
		}
		offset += length
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), chunks
}

type header struct {
	Name       string            `json:"name"`
	LinkName   string            `json:"linkName"`
	Mode       int64             `json:"mode"`
	Size       int64             `json:"size"`
	UID        int               `json:"uid"`
	GID        int               `json:"gid"`
	ModTime    time.Time         `json:"modtime"`
	AccessTime time.Time         `json:"accesstime"`
	ChangeTime time.Time         `json:"changetime"`
	DevMajor   int64             `json:"devMajor"`
	DevMinor   int64             `json:"devMinor"`
	Xattrs     map[string][]byte `json:"xattrs"`
}

func headers(name string) {
	file, err := os.Open(name)
	check(err)
	entries := []header{}
	for reader := tar.NewReader(file); ; {
		one, err := reader.Next()
		if err == io.EOF {
			break
		}
		check(err)
		xattrs := map[string][]byte{}
		for keyword, value := range one.PAXRecords {
			if strings.HasPrefix(keyword, "SCHILY.xattr.") {
				xattrs[strings.TrimPrefix(keyword, "SCHILY.xattr.")] = []byte(value)
			}
		}
		entries = append(entries, header{one.Name, one.Linkname, one.Mode, one.Size, one.Uid, one.Gid, one.ModTime.UTC(), one.AccessTime.UTC(), one.ChangeTime.UTC(), one.Devmajor, one.Devminor, xattrs})
	}
	check(json.NewEncoder(os.Stdout).Encode(entries))
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("build, open or headers")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	lossless := flags.Bool("lossless", false, "keeps every byte of the tar")
	chunkSize := flags.Int("chunk", 0, "bytes of a chunk; 4 MiB by default")
	check(flags.Parse(os.Args[2:]))
	switch words := flags.Args(); {
	case os.Args[1] == "build" && len(words) == 2:
		build(words[0], words[1], *chunkSize, *lossless)
	case os.Args[1] == "open" && len(words) == 2:
		open(words[0], words[1])
	case os.Args[1] == "headers" && len(words) == 1:
		headers(words[0])
	default:
		log.Fatal("build [-lossless] [-chunk BYTES] TAR BLOB, open BLOB DIGEST, or headers TAR")
	}
}
