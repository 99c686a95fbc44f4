"""Churn and payment models: trained, judged by later weeks, applied and explained."""
