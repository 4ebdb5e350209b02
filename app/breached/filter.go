package breached

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/FastFilter/xorfilter"
)

// Filter is a file of binary fuse filters with 16 bits for a password. It knows every
// password of its list, and one of 65,536 that aren't in it. A password takes 2.4 bytes of
// the file, and asking for one reads 80 kB.
//
// The file begins with magic. Then follow the filters of shardSize hashes each, in order,
// the index, and the footer. Numbers are little-endian.
type Filter struct {
	file  *os.File
	count uint64
	index []shard
}

// shard is where a filter is in the file.
type shard struct {
	First uint64 // the first hash in it
	At    int64
}

// footer is the end of the file.
type footer struct {
	Index  int64  // where the index is
	Shards uint64 // how many it has
	Count  uint64 // of passwords
	CRC    uint32 // of the index
	Magic  [8]byte
}

var magic = [8]byte{'V', 'B', 'R', 'C', 'H', '0', '0', '1'}

const (
	shardSize  = 1 << 15 // hashes in a filter
	maxShard   = 8 << 20 // bytes of a filter; a larger one is none
	maxShards  = 1 << 22
	shardBytes = 16
)

// OpenFilter opens a file that Build wrote. It returns an error if the file isn't one, or
// isn't whole.
func OpenFilter(path string) (*Filter, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	f := &Filter{file: file}
	if err := f.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no filter of breached passwords: %w", path, err), file.Close())
	}
	return f, nil
}

// read reads the index.
func (f *Filter) read() error {
	var end footer
	size := int64(binary.Size(end))
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() < int64(len(magic))+size {
		return errors.New("it is too short")
	}
	at := info.Size() - size
	if err := binary.Read(io.NewSectionReader(f.file, at, size), binary.LittleEndian, &end); err != nil {
		return err
	}
	switch {
	case end.Magic != magic:
		return errors.New("it has another format, or is not whole")
	case end.Shards == 0, end.Shards > maxShards, end.Index != at-int64(end.Shards)*shardBytes: // #nosec G115 -- bounded before
		return errors.New("it is not whole")
	}
	index := make([]byte, at-end.Index)
	if _, err := f.file.ReadAt(index, end.Index); err != nil {
		return err
	}
	if crc32.ChecksumIEEE(index) != end.CRC {
		return errors.New("its index is damaged")
	}
	f.count, f.index = end.Count, make([]shard, end.Shards, end.Shards+1)
	if err := binary.Read(bytes.NewReader(index), binary.LittleEndian, f.index); err != nil {
		return err
	}
	f.index = append(f.index, shard{At: end.Index}) // where the last one ends
	for i := range f.index[1:] {
		if size := f.index[i+1].At - f.index[i].At; size <= 0 || size > maxShard {
			return errors.New("its index is damaged")
		}
	}
	return nil
}

// Count returns how many passwords the filter was built from.
func (f *Filter) Count() uint64 { return f.count }

// Close closes the file.
func (f *Filter) Close() error { return f.file.Close() }

// Offline returns true.
func (f *Filter) Offline() bool { return true }

// Has reports whether pw is in the list, or one of the few that only look so.
func (f *Filter) Has(_ context.Context, pw string) (bool, error) {
	key, err := keyOf(digest(pw))
	if err != nil {
		return false, err
	}
	shards := f.index[:len(f.index)-1]
	i, found := slices.BinarySearchFunc(shards, key, func(s shard, key uint64) int { return cmp.Compare(s.First, key) })
	if !found {
		i--
	}
	if i < 0 {
		return false, nil
	}
	stored := make([]byte, f.index[i+1].At-f.index[i].At)
	if _, err := f.file.ReadAt(stored, f.index[i].At); err != nil {
		return false, err
	}
	filter, err := xorfilter.LoadBinaryFuse[uint16](bytes.NewReader(stored))
	if err != nil {
		return false, err
	}
	return filter.Contains(key), nil
}

// keyOf returns the first 64 bits of a SHA-1 in hexadecimal.
func keyOf(hash string) (uint64, error) {
	if len(hash) != 40 {
		return 0, errors.New("it is no SHA-1")
	}
	if _, err := hex.DecodeString(hash[16:]); err != nil {
		return 0, errors.New("it is no SHA-1")
	}
	return strconv.ParseUint(hash[:16], 16, 64)
}

// Build reads a list of SHA-1 hashes, in order and one a line as "HASH:COUNT", and writes
// the filter of those with at least that count. The list may be compressed by gzip. It holds
// a shard in memory, whatever the size of the list. It returns how many hashes it wrote, and
// an error if a line is no hash, or the list isn't in order.
func Build(list io.Reader, w io.Writer, least int) (count uint64, err error) {
	lines, err := openList(list)
	if err != nil {
		return 0, err
	}
	b := builder{w: bufio.NewWriterSize(w, 1<<20), at: int64(len(magic))}
	if _, err := b.w.Write(magic[:]); err != nil {
		return 0, err
	}
	number, last := 0, ""
	for lines.Scan() {
		number++
		line := strings.TrimSpace(lines.Text())
		hash, times, ok := strings.Cut(line, ":")
		if line == "" {
			continue
		}
		hash = strings.ToUpper(hash)
		key, err := keyOf(hash)
		n, notANumber := strconv.Atoi(times)
		switch {
		case err != nil || ok && notANumber != nil:
			return b.count, fmt.Errorf("line %d isn't HASH:COUNT, with a SHA-1", number)
		case hash < last:
			return b.count, fmt.Errorf("line %d is out of order: sort the list by hash", number)
		case hash == last, ok && n < least:
			continue
		}
		last = hash
		if err := b.add(key); err != nil {
			return b.count, err
		}
	}
	if err := lines.Err(); err != nil {
		return b.count, err
	}
	if b.count == 0 {
		return 0, errors.New("the list contains no hashes")
	}
	return b.count, b.end()
}

// openList returns the lines of a list.
func openList(list io.Reader) (*bufio.Scanner, error) {
	r := bufio.NewReaderSize(list, 1<<20)
	if head, _ := r.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("the list is no whole gzip file: %w", err)
		}
		return bufio.NewScanner(unzipped), nil
	}
	if head, _ := r.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = r.Discard(len(head))
	}
	return bufio.NewScanner(r), nil
}

// builder writes a filter.
type builder struct {
	w     *bufio.Writer
	at    int64
	count uint64
	keys  []uint64 // of the next shard
	index []shard
	fuse  xorfilter.BinaryFuseBuilder
}

func (b *builder) add(key uint64) error {
	if n := len(b.keys); n > 0 && b.keys[n-1] == key { // two hashes that begin alike
		return nil
	}
	if len(b.keys) == shardSize {
		if err := b.flush(); err != nil {
			return err
		}
	}
	b.keys = append(b.keys, key)
	b.count++
	return nil
}

// flush writes the shard.
func (b *builder) flush() error {
	first := b.keys[0]
	filter, err := xorfilter.BuildBinaryFuse[uint16](&b.fuse, b.keys) // which changes the keys
	if err != nil {
		return err
	}
	var stored bytes.Buffer
	if err := filter.Save(&stored); err != nil {
		return err
	}
	b.index = append(b.index, shard{first, b.at})
	b.at += int64(stored.Len())
	b.keys = b.keys[:0]
	_, err = stored.WriteTo(b.w)
	return err
}

func (b *builder) end() error {
	if err := b.flush(); err != nil {
		return err
	}
	var index bytes.Buffer
	if err := binary.Write(&index, binary.LittleEndian, b.index); err != nil {
		return err
	}
	end := footer{Index: b.at, Shards: uint64(len(b.index)), Count: b.count, CRC: crc32.ChecksumIEEE(index.Bytes()), Magic: magic}
	if _, err := index.WriteTo(b.w); err != nil {
		return err
	}
	return errors.Join(binary.Write(b.w, binary.LittleEndian, end), b.w.Flush())
}
