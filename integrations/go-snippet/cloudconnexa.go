// The CloudConnexa API with the token of cloudconnexa-auth. Go 1.21 or newer, nothing to install.
//
//	go run cloudconnexa.go https://acme.api.openvpn.com/api/v1/networks
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Transport adds the headers that cloudconnexa-auth gives, and keeps them until they expire.
type Transport struct {
	mutex sync.Mutex
	kept  map[string]reply
}

type reply struct {
	Headers http.Header `json:"headers"`
	Expires time.Time   `json:"expires"`
}

// RoundTrip sends one API request; a refused token is replaced once, if the body can be sent again.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		defer request.Body.Close()
	}
	for isLast := false; ; isLast = true {
		headers, err := t.headers(request.URL)
		if err != nil {
			return nil, err
		}
		attempt := request.Clone(request.Context())
		for name, values := range headers {
			attempt.Header[name] = values
		}
		if isLast && request.GetBody != nil {
			if attempt.Body, err = request.GetBody(); err != nil {
				return nil, err
			}
		}
		response, err := http.DefaultTransport.RoundTrip(attempt)
		canRepeat := request.Body == nil || request.GetBody != nil
		if err != nil || response.StatusCode != http.StatusUnauthorized || isLast || !canRepeat {
			return response, err
		}
		response.Body.Close()
		if err := t.drop(request.URL, headers.Get("Authorization")); err != nil {
			return nil, err
		}
	}
}

func (t *Transport) headers(uri *url.URL) (http.Header, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	origin := uri.Scheme + "://" + uri.Host
	if known, ok := t.kept[origin]; ok && time.Now().Before(known.Expires) {
		return known.Headers, nil
	}
	var answer reply
	if err := ask("get", map[string]string{"uri": uri.String()}, &answer); err != nil {
		return nil, err
	}
	if answer.Headers.Get("Authorization") == "" {
		return nil, fmt.Errorf("no profile of cloudconnexa-auth covers %s", uri.Host)
	}
	if t.kept == nil {
		t.kept = map[string]reply{}
	}
	t.kept[origin] = answer
	return answer.Headers, nil
}

// drop drops the token that was refused, here and in the cache, and no other.
func (t *Transport) drop(uri *url.URL, authorization string) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.kept, uri.Scheme+"://"+uri.Host)
	token := strings.TrimPrefix(authorization, "Bearer ")
	return ask("erase", map[string]string{"uri": uri.String(), "token": token}, &struct{}{})
}

func ask(verb string, request map[string]string, answer any) error {
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	command := exec.Command("cloudconnexa-auth", verb)
	command.Stdin = bytes.NewReader(text)
	command.Stderr = os.Stderr // the reason of a failure
	output, err := command.Output()
	if err != nil {
		return fmt.Errorf("cloudconnexa-auth %s: %w", verb, err)
	}
	return json.Unmarshal(output, answer)
}

func main() {
	client := http.Client{
		Transport: &Transport{},
		// A redirect would get the token too where a profile covers its host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Get(os.Args[1])
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the API answered %s", response.Status)
	}
	if err == nil {
		_, err = io.Copy(os.Stdout, response.Body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
