// A client of the CloudConnexa API, written from the vendor's API reference v1.2.3 alone. It lists,
// creates, updates, pages and deletes, and ends with an error at the first difference.
//
// Types and expectations come from the page that each comment names below
// https://openvpn.net/cloud-docs/developer/cloudconnexa-api-v1-2-3/. A field that is not documented
// is an error.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// schemas/networkresponse
type network struct {
	ID                string      `json:"id"`
	Name              string      `json:"name"`
	Description       string      `json:"description"`
	Egress            bool        `json:"egress"`
	InternetAccess    string      `json:"internetAccess"`
	Routes            []route     `json:"routes"`
	Connectors        []connector `json:"connectors"`
	SystemSubnets     []string    `json:"systemSubnets"`
	TunnelingProtocol string      `json:"tunnelingProtocol"`
	GatewaysIDs       []string    `json:"gatewaysIds"`
}

// schemas/networkrouteresponse
type route struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Subnet      string `json:"subnet"`
	Description string `json:"description"`
}

// schemas/networkconnectorresponse, schemas/hostconnectorresponse
type connector struct {
	ID                string          `json:"id"`
	NetworkItemID     string          `json:"networkItemId"`
	NetworkItemType   string          `json:"networkItemType"`
	Name              string          `json:"name"`
	Description       string          `json:"description"`
	VpnRegionID       string          `json:"vpnRegionId"`
	IPv4Address       string          `json:"ipV4Address"`
	IPv6Address       string          `json:"ipV6Address"`
	TunnelingProtocol string          `json:"tunnelingProtocol"`
	IPSecConfig       json.RawMessage `json:"ipSecConfig"`
	ConnectionStatus  string          `json:"connectionStatus"`
	Licensed          bool            `json:"licensed"`
}

// schemas/hostresponse
type host struct {
	ID             string      `json:"id"`
	Name           string      `json:"name"`
	Description    string      `json:"description"`
	Domain         string      `json:"domain"`
	InternetAccess string      `json:"internetAccess"`
	Connectors     []connector `json:"connectors"`
	SystemSubnets  []string    `json:"systemSubnets"`
	GatewaysIDs    []string    `json:"gatewaysIds"`
}

// schemas/userresponse
type user struct {
	ID                string            `json:"id"`
	FirstName         string            `json:"firstName"`
	LastName          string            `json:"lastName"`
	Username          string            `json:"username"`
	Email             string            `json:"email"`
	GroupID           string            `json:"groupId"`
	SecondaryGroupIDs []string          `json:"secondaryGroupIds"`
	Status            string            `json:"status"`
	AuthType          string            `json:"authType"`
	Role              string            `json:"role"`
	Devices           []json.RawMessage `json:"devices"`
	ConnectionStatus  string            `json:"connectionStatus"`
	Licensed          bool              `json:"licensed"`
}

// schemas/usergroupresponse
type userGroup struct {
	ID                 string          `json:"id"`
	Name               string          `json:"name"`
	VpnRegionIDs       []string        `json:"vpnRegionIds"`
	AllRegionsIncluded bool            `json:"allRegionsIncluded"`
	InternetAccess     string          `json:"internetAccess"`
	MaxDevice          int32           `json:"maxDevice"`
	ConnectAuth        string          `json:"connectAuth"`
	SystemSubnets      []string        `json:"systemSubnets"`
	GatewaysIDs        []string        `json:"gatewaysIds"`
	TunnelBypass       json.RawMessage `json:"tunnelBypass"`
}

// schemas/dnsrecordresponse
type dnsRecord struct {
	ID            string   `json:"id"`
	Domain        string   `json:"domain"`
	Description   string   `json:"description"`
	IPv4Addresses []string `json:"ipv4Addresses"`
	IPv6Addresses []string `json:"ipv6Addresses"`
}

// schemas/vpnregionresponse
type region struct {
	ID         string `json:"id"`
	Continent  string `json:"continent"`
	Country    string `json:"country"`
	CountryISO string `json:"countryIso"`
	RegionName string `json:"regionName"`
}

// schemas/sessionsresponse; the sessions themselves are not decoded further.
type sessions struct {
	Sessions []struct {
		ID string `json:"id"`
	} `json:"sessions"`
	NextCursor string `json:"nextCursor"`
}

// schemas/pagenetworkresponse and the other pages
type page[T any] struct {
	Content          []T   `json:"content"`
	TotalElements    int32 `json:"totalElements"`
	TotalPages       int32 `json:"totalPages"`
	NumberOfElements int32 `json:"numberOfElements"`
	Page             int32 `json:"page"`
	Size             int32 `json:"size"`
}

// schemas/errorresponse
type errorResponse struct {
	ErrorDetails json.RawMessage `json:"errorDetails"`
	ErrorMessage string          `json:"errorMessage"`
	StatusError  string          `json:"statusError"`
}

var baseURL, token string

func main() {
	log.SetFlags(0)
	baseURL, token = os.Getenv("CLOUDCONNEXA_BASE_URL"), os.Getenv("CLOUDCONNEXA_TOKEN")
	if id := os.Getenv("CLOUDCONNEXA_CLIENT_ID"); id != "" {
		token = requestToken(id, os.Getenv("CLOUDCONNEXA_CLIENT_SECRET"))
	}
	networks()
	hosts()
	users()
	dnsRecords()
	regions()
	pages()
	batches()
	refusals()
	fmt.Println("the API is as documented")
}

// ../creating-api-credentials/
func requestToken(id, secret string) string {
	query := url.Values{
		"client_id": {id}, "client_secret": {secret}, "grant_type": {"client_credentials"},
	}
	response, err := http.Post(baseURL+"/api/v1/oauth/token?"+query.Encode(), "", nil)
	if err != nil {
		// The error would contain the URL.
		log.Fatal("the token request failed")
	}
	defer response.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.AccessToken == "" {
		log.Fatal("no token: ", response.Status)
	}
	return body.AccessToken
}

// network/create-a-new-network, network/update-an-existing-network, network/delete-an-existing-network
func networks() {
	body := `{"name":"lab","egress":true,"routes":[{"value":"10.9.0.0/24"}],
		"connectors":[{"name":"c1","vpnRegionId":"us-west-1"}]}`
	created := call[network]("POST", "networks", body, 201)
	check(created.Egress && created.InternetAccess == "SPLIT_TUNNEL_ON", "a network is created")
	check(created.Routes[0].Subnet == "10.9.0.0/24" && created.Routes[0].Type == "IP_V4", "with its route")
	check(created.Connectors[0].NetworkItemID == created.ID, "with its connector")
	path := "networks/" + created.ID

	updated := call[network]("PUT", path, `{"name":"lab","description":"new"}`, 200)
	check(updated.Description == "new", "a network is updated")
	check(call[network]("GET", path, "", 200).Description == "new", "the update is stored")

	// network/create-a-new-network-connector, network/get-page-of-existing-network-connectors
	query := "networks/connectors?networkId=" + created.ID
	added := call[connector]("POST", query, `{"name":"c2","vpnRegionId":"us-west-1"}`, 201)
	check(added.NetworkItemType == "NETWORK" && added.TunnelingProtocol == "OPENVPN", "a connector is added")
	check(call[page[connector]]("GET", query, "", 200).TotalElements == 2, "connectors are listed")
	callEmpty("DELETE", "networks/connectors/"+added.ID, 204)

	// network/create-a-new-route
	query = "networks/routes?networkId=" + created.ID
	second := call[route]("POST", query, `{"value":"10.8.0.0/24","description":"x"}`, 201)
	check(call[page[route]]("GET", query, "", 200).TotalElements == 2, "routes are listed")
	callEmpty("DELETE", "networks/routes/"+second.ID, 204)

	callEmpty("DELETE", path, 204)
	call[errorResponse]("GET", path, "", 404)
}

// host/create-a-new-host-with-connectors, host/delete-an-existing-host
func hosts() {
	body := `{"name":"build","domain":"build.test","connectors":[{"name":"h1","vpnRegionId":"us-west-1"}]}`
	created := call[host]("POST", "hosts", body, 201)
	check(created.Connectors[0].NetworkItemType == "HOST", "a host is created")
	query := "hosts/connectors?hostId=" + created.ID
	check(call[page[connector]]("GET", query, "", 200).TotalElements == 1, "its connector is listed")
	callEmpty("DELETE", "hosts/"+created.ID, 204)
}

// user/create-a-new-local-user, user-group/create-a-new-user-group
func users() {
	group := call[userGroup]("POST", "user-groups", `{"name":"ops","allRegionsIncluded":true}`, 201)
	body := fmt.Sprintf(`{"username":"dave","email":"dave@example.com","groupId":%q,"role":"ADMIN"}`, group.ID)
	created := call[user]("POST", "users", body, 201)
	check(created.GroupID == group.ID && created.Role == "ADMIN", "a user is created")
	path := "users/" + created.ID
	callEmpty("PUT", path+"/suspend", 200)
	check(call[user]("GET", path, "", 200).Status == "SUSPENDED", "a user is suspended")
	callEmpty("DELETE", path, 204)
	callEmpty("DELETE", "user-groups/"+group.ID, 204)
}

// dns-record/create-a-new-dns-record, dns-record/update-existing-dns-record
func dnsRecords() {
	created := call[dnsRecord]("POST", "dns-records", `{"domain":"db.test","ipv4Addresses":["10.0.0.1"]}`, 201)
	path := "dns-records/" + created.ID
	updated := call[dnsRecord]("PUT", path, `{"domain":"db.test","ipv4Addresses":["10.0.0.2"]}`, 200)
	check(updated.IPv4Addresses[0] == "10.0.0.2", "a record is updated")
	callEmpty("DELETE", path, 204)
}

// region/get-existing-regions: an array, not a page
func regions() {
	all := call[[]region]("GET", "regions", "", 200)
	check(len(all) > 0 && all[0].ID != "" && all[0].CountryISO != "", "regions are listed")
}

// network/get-page-of-existing-networks: pages from 0
func pages() {
	var created []string
	for number := range 5 {
		body := fmt.Sprintf(`{"name":"paged-%d"}`, number)
		created = append(created, call[network]("POST", "networks", body, 201).ID)
	}
	seen := map[string]bool{}
	for number, total := int32(0), int32(1); number < total; number++ {
		got := call[page[network]]("GET", fmt.Sprintf("networks?page=%d&size=2", number), "", 200)
		check(got.Page == number && got.Size == 2, "a page repeats its parameters")
		check(int(got.NumberOfElements) == len(got.Content), "a page counts its objects")
		for _, each := range got.Content {
			seen[each.ID] = true
		}
		total = got.TotalPages
		if number+1 == total {
			check(int(got.TotalElements) == len(seen), "the pages contain every network once")
		}
	}
	for _, id := range created {
		check(seen[id], "the pages contain what was created")
		callEmpty("DELETE", "networks/"+id, 204)
	}
}

// sessions/returns-a-list-of-openvpn-sessions-by-batches--up-to-100-in-a-single-request
func batches() {
	all := len(call[sessions]("GET", "sessions?size=100", "", 200).Sessions)
	count, cursor := 0, ""
	for {
		got := call[sessions]("GET", "sessions?size=2&cursor="+url.QueryEscape(cursor), "", 200)
		count += len(got.Sessions)
		if cursor = got.NextCursor; cursor == "" {
			break
		}
	}
	check(all > 2 && count == all, "the batches contain all sessions")
}

// schemas/errorresponse
func refusals() {
	unreadable := call[errorResponse]("POST", "networks", "{", 400)
	check(unreadable.ErrorMessage == "Http message not readable", "the message of a refusal")
	check(unreadable.StatusError == "Bad Request", "the status of a refusal")
	call[errorResponse]("GET", "networks/00000000-0000-0000-0000-000000000000", "", 404)
	call[errorResponse]("GET", "unknown", "", 404)
	token = "wrong"
	call[errorResponse]("GET", "networks", "", 401)
}

func call[T any](method, path, body string, status int) (result T) {
	text := send(method, path, body, status)
	decoder := json.NewDecoder(bytes.NewReader(text))
	if !strings.HasPrefix(path, "sessions") {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(&result); err != nil {
		log.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return result
}

func callEmpty(method, path string, status int) {
	if text := send(method, path, "", status); len(text) != 0 {
		log.Fatalf("%s %s: the response has a body: %s", method, path, text)
	}
}

func send(method, path, body string, status int) []byte {
	request, err := http.NewRequest(method, baseURL+"/api/v1/"+path, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	if response.StatusCode != status {
		log.Fatalf("%s %s: status %d instead of %d: %s", method, path, response.StatusCode, status, text)
	}
	return text
}

func check(ok bool, what string) {
	if !ok {
		log.Fatal("not as documented: ", what)
	}
}
