#!/bin/sh
# One text by raw SOAP with curl: what goes over the wire, for whoever writes a client by hand.
#   SMS_PASSWORD=... send.sh https://sms.example.org his OP-20260301-0001 13800138000 '您的就诊时间为明天14:30。'
# Prints the code. Status 0: accepted. 1: refused. 2: nobody answered; ask again later under the same reference.
set -u
url=$1 account=$2 ref=$3 mobile=$4 content=$5

escaped() {
    printf '%s' "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
}

envelope() {
    cat <<XML
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:his-sms:exchange:1">
  <s:Header>
    <Credentials>
      <account>$(escaped "$account")</account><password>$(escaped "$SMS_PASSWORD")</password>
    </Credentials>
  </s:Header>
  <s:Body>
    <Send>
      <request>
        <clientRef>$(escaped "$ref")</clientRef>
        <content>$(escaped "$content")</content>
        <recipients><Recipient><mobile>$(escaped "$mobile")</mobile></Recipient></recipients>
      </request>
    </Send>
  </s:Body>
</s:Envelope>
XML
}

pause=${SMS_FIRST_PAUSE:-1}
for tried in 1 2 3 4 5 6; do
    # The envelope, with the password, goes through a pipe: arguments can be seen by everybody.
    answer=$(envelope | curl -s --max-time 30 -H 'Content-Type: text/xml; charset=utf-8' \
        -H 'SOAPAction: ""' --data-binary @- "$url/soap")
    # The first <code>, whatever its prefix.
    code=$(printf '%s' "$answer" | tr '>' '\n' | sed -n '/[<:]code$/{n;s/<.*//p;q;}')
    case $code in
    OK | PARTIAL)
        echo "$code"
        exit 0
        ;;
    '' | RATE_LIMITED | SPOOL_FULL | STORE_UNAVAILABLE | INTERNAL)
        [ "$tried" -eq 6 ] || sleep "$pause"
        pause=$(awk "BEGIN { print $pause * 2 }")
        ;;
    *)
        echo "$code"
        exit 1
        ;;
    esac
done
echo "${code:-no answer}"
exit 2
