"""Serves TLS in front of a plain port, with certificates made for the occasion.

    tls.py FOLDER PORT [--ask]

writes ca.pem and client.pem (certificate and key) into FOLDER, prints its own port, and forwards each connection to
127.0.0.1:PORT. With --ask it talks to nobody who shows no certificate.
"""

import datetime
import ipaddress
import socket
import ssl
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(name, issuer=None, of_authority=False):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer_name, signer_key = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=of_authority, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
    )
    return builder.sign(signer_key, hashes.SHA256()), key


def pem(made, with_key):
    text = made[0].public_bytes(serialization.Encoding.PEM)
    if with_key:
        text += made[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    return text


def forward(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(raw, context, port):
    try:
        client = context.wrap_socket(raw, server_side=True)
    except (OSError, ssl.SSLError):
        raw.close()
        return
    server = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=forward, args=(client, server), daemon=True).start()
    forward(server, client)


def main(folder, port, *ask):
    authority = certificate("an authority of its own", of_authority=True)
    made = {"ca": pem(authority, False), "client": pem(certificate("client", authority), True)}
    made["server"] = pem(certificate("server", authority), True)
    for name, text in made.items():
        with open(f"{folder}/{name}.pem", "wb") as file:
            file.write(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem")
    if ask:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{folder}/ca.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve, args=(raw, context, int(port)), daemon=True).start()


main(*sys.argv[1:])
