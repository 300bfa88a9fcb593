#pragma once

// The usual ones together: producer, push consumer and what they are made of.
#include "mqclient/default_mq_producer.h"
#include "mqclient/default_mq_push_consumer.h"
#include "mqclient/version.h"
