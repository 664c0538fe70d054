// OpenSSL, and what of it is a macro or takes a variable number of arguments, as functions: Swift
// sees neither.
#pragma once
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

// What carries the bytes of sessions to and from sockets that stay somebody else's. Many sessions of one thread
// may share it, and say so before each of their steps. Unlike OpenSSL's own it can let the kernel keep what is
// sent back until more is (send(2), MSG_MORE; for 200 ms at most, tcp(7)).
struct kanmon_carrier {
    int socket;
    int flags;
};
static inline struct kanmon_carrier *kanmon_carrier_in(BIO *bio) {
    return (struct kanmon_carrier *)BIO_get_data(bio);
}
static inline void kanmon_use_socket(SSL *ssl, int socket) {
    BIO *bio = SSL_get_rbio(ssl);
    struct kanmon_carrier *carrier = kanmon_carrier_in(bio);
    BIO_clear_flags(bio, BIO_FLAGS_IN_EOF);
    carrier->socket = socket;
    carrier->flags = MSG_NOSIGNAL;
}
// What this step of the session sends from here on goes with what the next one sends.
static inline void kanmon_expect_more(SSL *ssl) {
    kanmon_carrier_in(SSL_get_rbio(ssl))->flags |= MSG_MORE;
}
static inline int kanmon_carrier_write(BIO *bio, const char *bytes, size_t count, size_t *written) {
    const struct kanmon_carrier *carrier = kanmon_carrier_in(bio);
    ssize_t result = send(carrier->socket, bytes, count, carrier->flags);
    BIO_clear_retry_flags(bio);
    *written = result > 0 ? (size_t)result : 0;
    if (result < 0 && BIO_sock_should_retry(-1)) BIO_set_retry_write(bio);
    return result >= 0;
}
static inline int kanmon_carrier_read(BIO *bio, char *bytes, size_t count, size_t *read) {
    ssize_t result = recv(kanmon_carrier_in(bio)->socket, bytes, count, 0);
    BIO_clear_retry_flags(bio);
    *read = result > 0 ? (size_t)result : 0;
    if (result < 0 && BIO_sock_should_retry(-1)) BIO_set_retry_read(bio);
    if (result == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return result > 0;
}
static inline long kanmon_carrier_control(BIO *bio, int command, long number, void *pointer) {
    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}
static inline int kanmon_carrier_end(BIO *bio) {
    OPENSSL_free(kanmon_carrier_in(bio));
    return 1;
}
static inline BIO_METHOD *kanmon_carrier_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sockets");
    if (method == NULL) return NULL;
    BIO_meth_set_write_ex(method, kanmon_carrier_write);
    BIO_meth_set_read_ex(method, kanmon_carrier_read);
    BIO_meth_set_ctrl(method, kanmon_carrier_control);
    BIO_meth_set_destroy(method, kanmon_carrier_end);
    return method;
}
static inline BIO *kanmon_new_carrier(const BIO_METHOD *method) {
    BIO *bio = BIO_new(method);
    void *carrier = OPENSSL_zalloc(sizeof(struct kanmon_carrier));
    if (bio == NULL || carrier == NULL) {
        BIO_free(bio);
        OPENSSL_free(carrier);
        return NULL;
    }
    BIO_set_data(bio, carrier);
    BIO_set_init(bio, 1);
    return bio;
}
static inline int kanmon_set_min_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline long kanmon_set_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_mode(context, mode);
}
static inline void kanmon_set_read_ahead(SSL_CTX *context) {
    SSL_CTX_set_read_ahead(context, 1);
}
static inline long kanmon_disable_session_cache(SSL_CTX *context) {
    return SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
static inline int kanmon_set_groups(SSL_CTX *context, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(context, groups);
}
static inline int kanmon_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add0_chain_cert(context, certificate);
}
static inline long kanmon_add_own_chain_certificate(SSL *connection, X509 *certificate) {
    return SSL_add1_chain_cert(connection, certificate);
}
static inline int kanmon_set_host_name(SSL *connection, const char *name) {
    return (int)SSL_set_tlsext_host_name(connection, name);
}
static inline int kanmon_context_index(CRYPTO_EX_free *release) {
    return CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, NULL, NULL, NULL, release);
}
static inline EVP_PKEY *kanmon_generate_p256(void) {
    return EVP_EC_gen("P-256");
}
static inline long kanmon_memory_bytes(BIO *bio, char **bytes) {
    return BIO_get_mem_data(bio, bytes);
}
static inline const char *kanmon_version_built_against(void) {
    return OPENSSL_VERSION_TEXT;
}

// A parameter keeps the pointer to its name, which has to outlive it: a C literal does, a Swift string
// does not.
static inline int kanmon_set_hmac_sha256_key(EVP_MAC_CTX *mac, const unsigned char *key, size_t count) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, count),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters);
}

// HMAC-SHA256 (RFC 2104) as the two hashes it consists of, each with its key already in it: whoever copies
// them begins a digest, without memory being asked for, which EVP does with every digest.
struct kanmon_hmac {
    SHA256_CTX inner, outer;
};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static inline void kanmon_hmac_key(struct kanmon_hmac *hmac, const unsigned char *key, size_t count) {
    unsigned char inner[SHA256_CBLOCK], outer[SHA256_CBLOCK];
    memset(inner, 0x36, sizeof inner);
    memset(outer, 0x5c, sizeof outer);
    for (size_t index = 0; index < count && index < SHA256_CBLOCK; index++) {
        inner[index] ^= key[index];
        outer[index] ^= key[index];
    }
    SHA256_Init(&hmac->inner);
    SHA256_Init(&hmac->outer);
    SHA256_Update(&hmac->inner, inner, sizeof inner);
    SHA256_Update(&hmac->outer, outer, sizeof outer);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(outer, sizeof outer);
}
static inline void kanmon_hmac_add(struct kanmon_hmac *hmac, const void *bytes, size_t count) {
    SHA256_Update(&hmac->inner, bytes, count);
}
static inline void kanmon_hmac_end(struct kanmon_hmac *hmac, unsigned char *digest) {
    SHA256_Final(digest, &hmac->inner);
    SHA256_Update(&hmac->outer, digest, SHA256_DIGEST_LENGTH);
    SHA256_Final(digest, &hmac->outer);
}
#pragma GCC diagnostic pop

static const unsigned long kanmon_partial_chain = X509_V_FLAG_PARTIAL_CHAIN;
static const uint64_t kanmon_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t kanmon_no_compression = SSL_OP_NO_COMPRESSION;
static const uint64_t kanmon_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t kanmon_prioritize_chacha = SSL_OP_PRIORITIZE_CHACHA;
