"""Who plays in the journeys: real clients, raw clients, tailnets, a load balancer."""
