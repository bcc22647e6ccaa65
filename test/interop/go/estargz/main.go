// Reads and writes eStargz layers with the reference's own library, for tests to compare with.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/containerd/stargz-snapshotter/estargz"
	digest "github.com/opencontainers/go-digest"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: estargz read|verify|build ..."))
	}
	var result interface{}
	var err error
	switch work, args := os.Args[1], os.Args[2:]; work {
	case "read":
		result, err = read(args)
	case "verify":
		result, err = verify(args)
	case "build":
		result, err = build(args)
	default:
		err = fmt.Errorf("%s is neither read, verify nor build", work)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// What a path is, links followed where the library follows them.
type found struct {
	Name    string            `json:"name"`
	Type    string            `json:"type"`
	Size    int64             `json:"size"`
	Mode    string            `json:"mode"`
	ModTime int64             `json:"modTime"`
	UID     int               `json:"uid"`
	GID     int               `json:"gid"`
	Uname   string            `json:"userName"`
	Gname   string            `json:"groupName"`
	Link    string            `json:"linkName"`
	Major   int               `json:"devMajor"`
	Minor   int               `json:"devMinor"`
	NumLink int               `json:"numLink"`
	Next    int64             `json:"nextOffset"`
	Xattrs  map[string][]byte `json:"xattrs"`
	Content digest.Digest     `json:"content,omitempty"`
}

type readReport struct {
	TOCOffset  int64            `json:"tocOffset"`
	FooterSize int64            `json:"footerSize"`
	TOCDigest  digest.Digest    `json:"tocDigest"`
	TOC        *estargz.JTOC    `json:"toc"`
	Unpacked   digest.Digest    `json:"unpacked"`
	Chunks     int              `json:"chunks"`
	Tree       map[string]found `json:"tree"`
}

// read BLOB TOC-DIGEST: verifies the TOC and every chunk, and lists all that can be found from the root.
func read(args []string) (*readReport, error) {
	blob, err := open(args[0])
	if err != nil {
		return nil, err
	}
	report := &readReport{Tree: map[string]found{}}
	if report.TOCOffset, report.FooterSize, err = estargz.OpenFooter(blob); err != nil {
		return nil, err
	}
	decompressor := new(estargz.GzipDecompressor)
	toc := io.NewSectionReader(blob, report.TOCOffset, blob.Size()-report.TOCOffset-report.FooterSize)
	if report.TOC, report.TOCDigest, err = decompressor.ParseTOC(toc); err != nil {
		return nil, err
	}
	unpacked, err := estargz.Unpack(blob, decompressor)
	if err != nil {
		return nil, err
	}
	defer unpacked.Close()
	if report.Unpacked, err = digest.FromReader(unpacked); err != nil {
		return nil, err
	}
	reader, err := estargz.Open(blob)
	if err != nil {
		return nil, err
	}
	verifiers, err := reader.VerifyTOC(digest.Digest(args[1]))
	if err != nil {
		return nil, err
	}
	root, ok := reader.Lookup("")
	if !ok {
		return nil, fmt.Errorf("there is no root")
	}
	return report, walk(reader, verifiers, root, "", report)
}

// verify BLOB TOC-DIGEST: the TOC and every chunk, once, in the order of the tree.
func verify(args []string) (int, error) {
	blob, err := open(args[0])
	if err != nil {
		return 0, err
	}
	reader, err := estargz.Open(blob)
	if err != nil {
		return 0, err
	}
	verifiers, err := reader.VerifyTOC(digest.Digest(args[1]))
	if err != nil {
		return 0, err
	}
	root, ok := reader.Lookup("")
	if !ok {
		return 0, fmt.Errorf("there is no root")
	}
	return chunksBelow(reader, verifiers, root, "")
}

func chunksBelow(reader *estargz.Reader, verifiers estargz.TOCEntryVerifier, entry *estargz.TOCEntry, path string) (int, error) {
	chunks := 0
	if entry.Type == "reg" {
		count, err := eachChunk(reader, verifiers, entry, path, io.Discard)
		if err != nil {
			return 0, err
		}
		chunks += count
	}
	var err error
	entry.ForeachChild(func(name string, child *estargz.TOCEntry) bool {
		var count int
		count, err = chunksBelow(reader, verifiers, child, strings.TrimPrefix(path+"/"+name, "/"))
		chunks += count
		return err == nil
	})
	return chunks, err
}

func walk(reader *estargz.Reader, verifiers estargz.TOCEntryVerifier, entry *estargz.TOCEntry, path string, report *readReport) error {
	info := entry.Stat()
	f := found{
		Name: entry.Name, Type: entry.Type, Size: entry.Size, Mode: fmt.Sprintf("%o", uint32(info.Mode())), ModTime: entry.ModTime().Unix(),
		UID: entry.UID, GID: entry.GID, Uname: entry.Uname, Gname: entry.Gname, Link: entry.LinkName, Major: entry.DevMajor, Minor: entry.DevMinor,
		NumLink: entry.NumLink, Next: entry.NextOffset(), Xattrs: entry.Xattrs,
	}
	if entry.Type == "reg" {
		var err error
		if f.Content, err = content(reader, verifiers, entry, path, report); err != nil {
			return err
		}
	}
	report.Tree[path] = f
	var err error
	entry.ForeachChild(func(name string, child *estargz.TOCEntry) bool {
		err = walk(reader, verifiers, child, strings.TrimPrefix(path+"/"+name, "/"), report)
		return err == nil
	})
	return err
}

// The digest of a file, each of its chunks given to its verifier.
func content(reader *estargz.Reader, verifiers estargz.TOCEntryVerifier, entry *estargz.TOCEntry, path string, report *readReport) (digest.Digest, error) {
	digester := digest.SHA256.Digester()
	count, err := eachChunk(reader, verifiers, entry, path, digester.Hash())
	report.Chunks += count
	return digester.Digest(), err
}

// Gives each chunk of a file to its verifier, and to out.
func eachChunk(reader *estargz.Reader, verifiers estargz.TOCEntryVerifier, entry *estargz.TOCEntry, path string, out io.Writer) (int, error) {
	file, err := reader.OpenFile(path)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	count := 0
	for offset := int64(0); offset < entry.Size; {
		chunk, ok := reader.ChunkEntryForOffset(path, offset)
		if !ok {
			return 0, fmt.Errorf("%s has no chunk at byte %d", path, offset)
		}
		data := make([]byte, chunk.ChunkSize)
		if n, err := file.ReadAt(data, chunk.ChunkOffset); err != nil && !(err == io.EOF && n == len(data)) {
			return 0, fmt.Errorf("%s at byte %d: %w", path, offset, err)
		}
		verifier, err := verifiers.Verifier(chunk)
		if err != nil {
			return 0, fmt.Errorf("%s at byte %d: %w", path, offset, err)
		}
		if _, err := io.Copy(io.MultiWriter(verifier, out), bytes.NewReader(data)); err != nil {
			return 0, err
		}
		if !verifier.Verified() {
			return 0, fmt.Errorf("%s at byte %d: the chunk is not what the TOC says", path, offset)
		}
		count++
		offset = chunk.ChunkOffset + chunk.ChunkSize
	}
	return count, nil
}

type buildReport struct {
	TOCDigest digest.Digest `json:"tocDigest"`
	DiffID    digest.Digest `json:"diffID"`
	Missing   []string      `json:"missing"`
}

// build TAR BLOB: writes a layer, sorted or, with -append or -lossless, as the tar comes.
func build(args []string) (*buildReport, error) {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	chunkSize := flags.Int("chunk-size", 0, "bytes of a chunk")
	level := flags.Int("level", 9, "of gzip")
	prioritized := flags.String("prioritize", "", "paths, with commas between them")
	appended := flags.Bool("append", false, "uses the writer")
	lossless := flags.Bool("lossless", false, "uses the writer, and keeps every byte")
	cores := flags.Int("cores", 1, "parts that the layer is built in")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(*cores)
	tar, err := open(flags.Arg(0))
	if err != nil {
		return nil, err
	}
	out, err := os.Create(flags.Arg(1))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	report := &buildReport{Missing: []string{}}
	if *appended || *lossless {
		writer := estargz.NewWriterLevel(out, *level)
		writer.ChunkSize = *chunkSize
		work := writer.AppendTar
		if *lossless {
			work = writer.AppendTarLossLess
		}
		if err := work(tar); err != nil {
			return nil, err
		}
		report.TOCDigest, err = writer.Close()
		report.DiffID = digest.Digest(writer.DiffID())
		return report, err
	}
	options := []estargz.Option{estargz.WithChunkSize(*chunkSize), estargz.WithCompressionLevel(*level)}
	if *prioritized != "" {
		options = append(options, estargz.WithPrioritizedFiles(strings.Split(*prioritized, ",")), estargz.WithAllowPrioritizeNotFound(&report.Missing))
	}
	blob, err := estargz.Build(tar, options...)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(out, blob); err != nil {
		return nil, err
	}
	if err := blob.Close(); err != nil {
		return nil, err
	}
	report.TOCDigest, report.DiffID = blob.TOCDigest(), blob.DiffID()
	return report, nil
}

func open(path string) (*io.SectionReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(file, 0, info.Size()), nil
}
