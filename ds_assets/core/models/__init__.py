"""The models of targets: trained, judged by later weeks, applied and explained."""
