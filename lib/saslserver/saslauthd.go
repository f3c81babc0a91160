package saslserver

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// saslauthdTimeout bounds one question to saslauthd, which may itself wait for
// PAM or a directory.
const saslauthdTimeout = 60 * time.Second

// saslauthd asks the daemon of that name, on a unix stream socket: four counted
// strings there, one back. A count is 16 bits, big end first.
type saslauthd struct {
	path    string // of the socket; a directory means "mux" in it
	service string // "imap": names the PAM file
}

// errLong is the error of a string that the protocol cannot carry.
var errLong = errors.New("string too long for saslauthd")

func (d saslauthd) check(ctx context.Context, user, realm, password string) error {
	req, err := saslauthdRequest(user, password, d.service, realm)
	if err != nil {
		return fmt.Errorf("%w: %w", BadAuth, err)
	}
	ctx, cancel := context.WithTimeout(ctx, saslauthdTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", d.path)
	if err != nil {
		return fmt.Errorf("%w: saslauthd: %w", Unavail, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(req); err != nil {
		return fmt.Errorf("%w: saslauthd: %w", Unavail, err)
	}
	answer, err := readCounted(bufio.NewReader(conn))
	if err != nil {
		return fmt.Errorf("%w: saslauthd: %w", Unavail, err)
	}
	if strings.HasPrefix(answer, "OK") {
		return nil
	}
	return fmt.Errorf("%w: saslauthd: %s", BadAuth, clean(answer))
}

func saslauthdRequest(fields ...string) ([]byte, error) {
	var req []byte
	for _, f := range fields {
		if len(f) > maxPassword {
			return nil, errLong
		}
		req = binary.BigEndian.AppendUint16(req, uint16(len(f)))
		req = append(req, f...)
	}
	return req, nil
}

// maxAnswer bounds saslauthd's answer, in octets.
const maxAnswer = 1024

func readCounted(r io.Reader) (string, error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return "", err
	}
	size := binary.BigEndian.Uint16(n[:])
	if size < 2 || size > maxAnswer {
		return "", fmt.Errorf("answer of %d octets", size)
	}
	buf := make([]byte, size)
	_, err := io.ReadFull(r, buf)
	return string(buf), err
}
