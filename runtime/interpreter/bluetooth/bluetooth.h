/* What Modules/socketmodule.c wants of BlueZ's headers: the kernel's interface, none of the library's.
   The five files have the names of BlueZ's; they are for this build only and are not installed. */
#ifndef STATICPYTHON_BLUETOOTH_H
#define STATICPYTHON_BLUETOOTH_H

#include <stdint.h>
#include <sys/socket.h>

#define BTPROTO_L2CAP 0
#define BTPROTO_HCI 1
#define BTPROTO_SCO 2
#define BTPROTO_RFCOMM 3

#define SOL_HCI 0

typedef struct {
    uint8_t b[6];
} __attribute__((packed)) bdaddr_t;

#endif
