#pragma once

// Everything for tests together, over GoogleTest and GMock; link mqclient::testing.
#include "mqclient/testing/at_once.h"
#include "mqclient/testing/fake_mq_producer.h"
#include "mqclient/testing/fake_mq_push_consumer.h"
#include "mqclient/testing/fixture.h"
#include "mqclient/testing/history.h"
#include "mqclient/testing/history_checks.h"
#include "mqclient/testing/matchers.h"
#include "mqclient/testing/message_ext_builder.h"
#include "mqclient/testing/mocks.h"
#include "mqclient/testing/printers.h"
#include "mqclient/testing/simulation.h"
#include "mqclient/testing/watchdog.h"
