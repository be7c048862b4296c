#include "bluetooth.h"

struct sockaddr_l2 {
    sa_family_t l2_family;
    unsigned short l2_psm; /* little-endian */
    bdaddr_t l2_bdaddr;
    unsigned short l2_cid;
    uint8_t l2_bdaddr_type;
};
