package main

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"time"
)

// The corpus is made, not stored: message i of a kind is the same octets in
// every run, so that what a server answers can be checked without asking it.

// Rare words that SEARCH looks for, and how often they are put in.
const (
	needle     = "tamarind"  // in the Subject of every needleStep-th small message
	needleStep = 97          //
	bodyWord   = "xylophone" // in the text of every bodyStep-th mixed message
	bodyStep   = 50          //
)

var words = strings.Fields(`the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would
make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down
day did get come made may part meeting report invoice budget schedule project draft review release server mailbox archive customer contract`)

// table is the checksum of answers: Castagnoli's, which processors compute.
var table = crc32.MakeTable(crc32.Castagnoli)

// sum adds b to a running checksum.
func sum(crc uint32, b []byte) uint32 { return crc32.Update(crc, table, b) }

// epoch is the INTERNALDATE of message 0; message i is i minutes younger.
var epoch = time.Date(2024, 2, 1, 9, 0, 0, 0, time.UTC)

// internalDate is when message i arrived.
func internalDate(i int) time.Time { return epoch.Add(time.Duration(i) * time.Minute) }

// flagsOf are the flags that message i is stored with: a third is read, a
// tenth answered.
func flagsOf(i int) string {
	var f []string
	if i%3 == 0 {
		f = append(f, `\Seen`)
	}
	if i%10 == 0 {
		f = append(f, `\Answered`)
	}
	return strings.Join(f, " ")
}

// every counts the messages of n that a step of s meets.
func every(n, s int) int { return (n + s - 1) / s }

// messageID names message i of a kind.
func messageID(kind string, i int) string { return fmt.Sprintf("<%s.%d@bench.example.com>", kind, i) }

// random is the stream of chance of one message.
func random(kind string, i int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(kind))), uint64(i)))
}

// header writes the header of message i of a kind; extra lines end in CRLF.
func header(kind string, i int, r *rand.Rand, subject, extra string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Received: from relay%d.example.net (relay%d.example.net [192.0.2.%d])\r\n\tby mail.example.com with ESMTPS id %08x\r\n\tfor <user@example.com>; %s\r\n",
		i%7, i%7, i%250+1, r.Uint32(), internalDate(i).Format(time.RFC1123Z))
	fmt.Fprintf(&b, "From: Sender Number %d <sender%d@example.net>\r\nTo: user@example.com\r\n", i%500, i%500)
	fmt.Fprintf(&b, "Subject: %s\r\nDate: %s\r\nMessage-ID: %s\r\n", subject, internalDate(i).Format(time.RFC1123Z), messageID(kind, i))
	if i > 0 {
		fmt.Fprintf(&b, "References: %s\r\n", messageID(kind, i-1))
	}
	fmt.Fprintf(&b, "X-Bench-Number: %d\r\n%s\r\n", i, extra)
	return b.String()
}

// text makes about n octets of text in lines.
func text(r *rand.Rand, n int) string {
	var b strings.Builder
	width := 0
	for b.Len() < n {
		w := words[r.IntN(len(words))]
		b.WriteString(w)
		width += len(w) + 1
		if width > 65 {
			b.WriteString("\r\n")
			width = 0
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteString("end\r\n")
	return b.String()
}

// attachment makes n octets in base64.
func attachment(r *rand.Rand, n int) string {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	enc := base64.StdEncoding.EncodeToString(raw)
	var b strings.Builder
	for len(enc) > 76 {
		b.WriteString(enc[:76] + "\r\n")
		enc = enc[76:]
	}
	return b.String() + enc + "\r\n"
}

// subject is the Subject of small message i.
func subject(i int, r *rand.Rand) string {
	s := words[r.IntN(len(words))] + " " + words[r.IntN(len(words))]
	if i%needleStep == 0 {
		s += " " + needle
	}
	return s
}

// plain is a text message of about n octets of body.
func plain(kind string, i, n int) []byte {
	r := random(kind, i)
	return []byte(header(kind, i, r, subject(i, r), "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n") + text(r, n))
}

// mixed is message i of a mailbox as people have it: six in ten plain, three
// in ten with an HTML alternative, one in ten with an attachment.
func mixed(kind string, i int) []byte {
	r := random(kind, i)
	subj := subject(i, r)
	body := text(r, 500+r.IntN(6000))
	if i%bodyStep == 0 {
		body += bodyWord + "\r\n"
	}
	const part = "--=_b\r\nContent-Type: "
	switch i % 10 {
	case 3, 5, 7:
		return []byte(header(kind, i, r, subj, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_b\"\r\n") +
			part + "text/plain; charset=us-ascii\r\n\r\n" + body + "\r\n" +
			part + "text/html; charset=us-ascii\r\n\r\n<html><body><p>" + text(r, 2*len(body)) + "</p></body></html>\r\n--=_b--\r\n")
	case 9:
		return []byte(header(kind, i, r, subj, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n") +
			part + "text/plain; charset=us-ascii\r\n\r\n" + body + "\r\n" +
			part + "application/octet-stream; name=\"data.bin\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"data.bin\"\r\n\r\n" +
			attachment(r, 20000+r.IntN(60000)) + "--=_b--\r\n")
	default:
		return []byte(header(kind, i, r, subj, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n") + body)
	}
}

// huge is one message with an attachment of n octets.
func huge(n int) []byte {
	r := random("huge", 0)
	return []byte(header("huge", 0, r, "huge", "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n") + attachment(r, n))
}
