$PBExportHeader$n_his_sms.sru
$PBExportComments$The hospital's SMS adapter by raw SOAP (docs/integrator/soap.md). PowerBuilder 9 or newer on Windows.
// n_his_sms lnv_sms
// lnv_sms = CREATE n_his_sms
// lnv_sms.of_init('https://sms.example.org/soap', 'his', ls_password)
// ls_code = lnv_sms.of_send('OP-20260301-0001', '13800138000', '您的就诊时间为明天14:30。')
// lnv_sms.of_fetch_receipts(ids_receipt)        in the Timer event, say every minute
forward
global type n_his_sms from nonvisualobject
end type
end forward

global type n_his_sms from nonvisualobject
end type
global n_his_sms n_his_sms

type variables
// Of the last answer: its code, empty where nobody answered, and its text.
string is_code, is_answer
private string is_url, is_account, is_password
end variables

forward prototypes
public subroutine of_init (string as_url, string as_account, string as_password)
public function string of_send (string as_client_ref, string as_mobile, string as_content)
public function long of_fetch_receipts (datastore ads_receipt)
public function boolean of_call (string as_operation, string as_request)
public function string of_text (string as_xml, string as_name)
private function integer of_post (string as_envelope)
private function string of_escaped (string as_text)
private function string of_replaced (string as_text, string as_old, string as_new)
end prototypes

public subroutine of_init (string as_url, string as_account, string as_password);
is_url = as_url
is_account = as_account
is_password = as_password
end subroutine

// Sends one text; it is durable when OK comes back. Else the code that refuses it, or an empty string where nobody
// answered: then send it again later, under the same reference. Take as_client_ref from your own data: a text is sent
// once under it, however often you ask.
public function string of_send (string as_client_ref, string as_mobile, string as_content);
string ls_request

// document: send
ls_request = '<clientRef>' + of_escaped(as_client_ref) + '</clientRef><content>' + of_escaped(as_content) + &
	'</content><recipients><Recipient><mobile>' + of_escaped(as_mobile) + '</mobile></Recipient></recipients>';
of_call('Send', ls_request)
return is_code
end function

// Puts every receipt that waits into a datastore over a table with the columns receipt_id (its key), message_id,
// client_ref, mobile, state; saves it, and acknowledges it then. How many came; -1: saving or the adapter failed.
public function long of_fetch_receipts (datastore ads_receipt);
string ls_request, ls_page, ls_receipt, ls_cursor, ls_id
long ll_count, ll_row, ll_from, ll_to

do
	// document: fetch
	ls_request = '<max>500</max>';
	if not of_call('FetchReceipts', ls_request) then return -1
	ls_page = is_answer
	ll_from = Pos(ls_page, '<tns:Receipt>')
	do while ll_from > 0
		ll_to = Pos(ls_page, '</tns:Receipt>', ll_from)
		ls_receipt = Mid(ls_page, ll_from, ll_to - ll_from)
		ls_id = of_text(ls_receipt, 'receiptId')
		// A receipt may come twice.
		if ads_receipt.Find("receipt_id = '" + ls_id + "'", 1, ads_receipt.RowCount()) = 0 then
			ll_row = ads_receipt.InsertRow(0)
			ads_receipt.SetItem(ll_row, 'receipt_id', ls_id)
			ads_receipt.SetItem(ll_row, 'message_id', of_text(ls_receipt, 'messageId'))
			ads_receipt.SetItem(ll_row, 'client_ref', of_text(ls_receipt, 'clientRef'))
			ads_receipt.SetItem(ll_row, 'mobile', of_text(ls_receipt, 'mobile'))
			ads_receipt.SetItem(ll_row, 'state', of_text(ls_receipt, 'state'))
			ll_count ++
		end if
		ll_from = Pos(ls_page, '<tns:Receipt>', ll_to)
	loop
	// First they are safe here, then they are acknowledged.
	if ads_receipt.Update() <> 1 then
		ROLLBACK USING SQLCA;
		return -1
	end if
	COMMIT USING SQLCA;
	ls_cursor = of_text(ls_page, 'cursor')
	// document: ack
	ls_request = '<cursor>' + of_escaped(ls_cursor) + '</cursor>';
	if not of_call('AckReceipts', ls_request) then return -1
loop while of_text(ls_page, 'more') = 'true'
return ll_count
end function

// Any operation, tried again while that is of use: a text is sent once, because every try carries the same clientRef.
// True where it was carried out; is_code and is_answer have the rest.
public function boolean of_call (string as_operation, string as_request);
string ls_envelope
integer li_tried, li_status
double ldb_until

// document: envelope
ls_envelope = &
	'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:his-sms:exchange:1">' + &
	'<s:Header><Credentials><account>' + of_escaped(is_account) + '</account><password>' + &
	of_escaped(is_password) + '</password></Credentials></s:Header><s:Body><' + as_operation + &
	'><request>' + as_request + '</request></' + as_operation + '></s:Body></s:Envelope>';
for li_tried = 1 to 6
	li_status = of_post(ls_envelope)
	is_code = of_text(is_answer, 'code')
	if li_status = 200 then return true
	choose case is_code
		case '', 'RATE_LIMITED', 'SPOOL_FULL', 'STORE_UNAVAILABLE', 'INTERNAL'
			// 0.5 s, doubled each time, a part of it by chance.
			if li_tried < 6 then
				ldb_until = Cpu() + 250 * 2 ^ (li_tried - 1) * (1 + Rand(100) / 100)
				do while Cpu() < ldb_until
					Yield()
				loop
			end if
		case else
			return false
	end choose
next
return false
end function

// One try. 0: nobody answered.
private function integer of_post (string as_envelope);
oleobject lole_http
integer li_status

is_answer = ''
lole_http = CREATE oleobject
if lole_http.ConnectToNewObject('MSXML2.ServerXMLHTTP.6.0') = 0 then
	try
		lole_http.setTimeouts(10000, 10000, 30000, 30000)
		lole_http.open('POST', is_url, false)
		lole_http.setRequestHeader('Content-Type', 'text/xml; charset=utf-8')
		lole_http.send(as_envelope)
		li_status = lole_http.status
		is_answer = lole_http.responseText
	catch (runtimeerror lerr)
		li_status = 0
	end try
	lole_http.DisconnectObject()
end if
DESTROY lole_http
return li_status
end function

// The text of the first element of this name; empty where there is none.
public function string of_text (string as_xml, string as_name);
long ll_from, ll_to
string ls_text

ll_from = Pos(as_xml, ':' + as_name + '>')
if ll_from = 0 then return ''
ll_from = ll_from + Len(as_name) + 2
ll_to = Pos(as_xml, '</', ll_from)
ls_text = Mid(as_xml, ll_from, ll_to - ll_from)
ls_text = of_replaced(ls_text, '&lt;', '<')
ls_text = of_replaced(ls_text, '&gt;', '>')
return of_replaced(ls_text, '&amp;', '&')
end function

private function string of_escaped (string as_text);
return of_replaced(of_replaced(of_replaced(as_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;')
end function

private function string of_replaced (string as_text, string as_old, string as_new);
long ll_at

ll_at = Pos(as_text, as_old)
do while ll_at > 0
	as_text = Replace(as_text, ll_at, Len(as_old), as_new)
	ll_at = Pos(as_text, as_old, ll_at + Len(as_new))
loop
return as_text
end function

on n_his_sms.create
call super::create
TriggerEvent(this, "constructor")
end on

on n_his_sms.destroy
TriggerEvent(this, "destructor")
call super::destroy
end on
